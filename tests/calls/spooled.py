"""Takes in the spool as calls leave them: finished, cut off by a crash, or without a word."""

from __future__ import annotations

import uuid
from typing import Any

from app.services import mailboxes
from tests.peers.instance import Instance
from tests.peers.speech import speech
from voice import spool
from voice.media import wav
from voice.media.g711 import Law

SECONDS = 2.0


def begun(instance: Instance, extension: str, payload: bytes | None = None, **facts: Any) -> spool.SpoolEntry:
    """A take whose call is running: its header says nothing of what follows. None: no file yet."""
    with instance.app.app_context():
        mailbox_id = facts.pop("mailbox_id", None) or mailboxes.get(extension).id
    entry = spool.SpoolEntry.begin(
        instance.settings.spool_dir,
        mailbox_id=mailbox_id,
        extension=extension,
        caller_number="0301234567",
        caller_name="Carla",
        call_id=f"{uuid.uuid4()}@pbx",
        started_at="2026-11-23T10:00:00.000+00:00",
        law="pcmu",
        **facts,
    )
    if payload is not None:
        entry.wav.write_bytes(wav.header(Law.PCMU, 0) + payload)
    return entry


def finished(instance: Instance, extension: str, **facts: Any) -> spool.SpoolEntry:
    """A take that is complete, and still owned by its call."""
    entry = begun(instance, extension, speech(SECONDS, seed=7), **facts)
    duration, size = wav.complete_header(entry.wav)
    sha256 = wav.sha256_of(entry.wav)
    entry.finish(spool.COMPLETE, duration=duration, speech=1.0, size=size, sha256=sha256, ended_by="key")
    return entry
