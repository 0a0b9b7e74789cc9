"""What was cut off the ends of messages: kept for some days in SPOOL/trimmed of the host that recorded them.

The voice worker writes it, as a WAV of its own named after the message (voice/trimming.py). Here it is put back
behind its message for who wants to hear all of it, and removed: after retention.trimmed_days, and with a message
that is purged, on whatever host that happens.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from app.config import Settings
from app.errors import NotFound
from app.extensions import db
from app.models import Message
from app.services import fields
from app.storage import AudioSource, MissingObject

FOLDER = "trimmed"
HEADER_SIZE = 58
SIZES_AT = (4, 46, 54)
"""In the header of a recording: the size of RIFF, the number of samples, the size of the data."""
DAY_SECONDS = 86400
BATCH = 500


def path_of(settings: Settings, message_id: str) -> Path:
    """Where what was cut off a message is, if anything was and this host recorded it."""
    return settings.spool_dir / FOLDER / f"{message_id}.wav"


def kept(settings: Settings) -> frozenset[str]:
    """Ids of the messages of which this host has more than the message."""
    try:
        with os.scandir(settings.spool_dir / FOLDER) as entries:
            return frozenset(entry.name[:-4] for entry in entries if fields.is_id(entry.name[:-4]))
    except FileNotFoundError:
        return frozenset()


def whole(settings: Settings, message_id: str, message: AudioSource) -> AudioSource:
    """The recording as it was before it was cut; NotFound where this host does not have the rest."""
    try:
        tail = AudioSource.of_file(path_of(settings, message_id))
        tail_head = b"".join(tail.blocks(0, HEADER_SIZE))
    except MissingObject:
        raise NotFound("Of this message there is no more than is heard.") from None
    if len(tail_head) < HEADER_SIZE or message.size < HEADER_SIZE:
        raise NotFound("Of this message there is no more than is heard.")
    tail_size = int.from_bytes(tail_head[SIZES_AT[2] :], "little")
    size = message.size - HEADER_SIZE + tail_size
    header = bytearray(b"".join(message.blocks(0, HEADER_SIZE)))
    for place, number in zip(SIZES_AT, (HEADER_SIZE - 8 + size + (size & 1), size, size), strict=True):
        struct.pack_into("<I", header, place, number)
    end = HEADER_SIZE + size + (size & 1)

    def read(start: int, stop: int) -> Iterator[bytes]:
        yield bytes(header[start:stop])
        yield from message.blocks(max(start, HEADER_SIZE), min(stop, message.size))
        # The padding of an odd number of samples is in the file of the tail as well.
        behind = message.size - HEADER_SIZE
        if stop > message.size:
            yield from tail.blocks(max(start - behind, HEADER_SIZE), stop - behind)

    return AudioSource(end, None, read)


def remove(settings: Settings, message_id: str) -> None:
    """Remove what was cut off a message, if it is here; OSError."""
    path_of(settings, message_id).unlink(missing_ok=True)


def sweep(settings: Settings) -> None:
    """Remove what is older than retention.trimmed_days, and what belongs to messages that were purged meanwhile."""
    ids = sorted(kept(settings))
    oldest = time.time() - settings.retention.trimmed_days * DAY_SECONDS
    for message_id in ids:
        with suppress(FileNotFoundError):
            if path_of(settings, message_id).stat().st_mtime < oldest:
                remove(settings, message_id)
    for start in range(0, len(ids), BATCH):
        purged = select(Message.id).where(Message.id.in_(ids[start : start + BATCH]), Message.purged_at.is_not(None))
        for message_id in db.session.scalars(purged).all():
            remove(settings, message_id)
    db.session.rollback()
