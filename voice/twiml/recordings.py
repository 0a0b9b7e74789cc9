"""Recordings of Record: the promise of messages, for whoever programs calls.

A recording goes the way of a take (voice/spool.py): sidecar before the first frame, fsync, then `complete`. From
then on it is safe; the keeper commits it, so that its URL answers before anybody is told of it.
"""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from app.account import Account, account_of
from app.config import Settings
from voice import spool, trimming
from voice.call import Call
from voice.errors import SpoolError
from voice.media import SAMPLE_RATE
from voice.media.wav import HEADER_SIZE
from voice.verbs.record import Recorded

log = logging.getLogger(__name__)
COMMIT_SECONDS = 5.0
"""How long a call waits for the commit; the caller hears nothing meanwhile."""
LEAST_SPEECH = 0.1
"""Seconds of speech below which nothing is left of a recording whose silence is cut off. It is kept all the same, and
told as absent: who listens for speech can err on a bad line."""


class Committer(Protocol):
    """Whoever makes a finished take known (voice.keeper_client.KeeperClient)."""

    def save(self, take_id: str, seconds: float) -> bool: ...
    def adopt(self, take_id: str) -> None: ...


@dataclass(frozen=True)
class Place:
    """Where recordings are made, and how they are called outside.

    folder: the spool. public_url: of the portal, without a slash at its end. trailing_silence: seconds that are left
    after the last word where silence is cut off. free_disk: below so many bytes free in the spool nothing is recorded.
    """

    folder: Path
    account: Account
    public_url: str
    trailing_silence: float = 0.5
    free_disk: int = 0

    @classmethod
    def of(cls, settings: Settings) -> Place:
        """As the settings say; SettingsError where the account cannot be made."""
        account, free_disk = account_of(settings), settings.limits.free_disk_bytes
        return cls(settings.spool_dir, account, settings.public_url, settings.trailing_silence, free_disk)


class RecordingTake:
    """One recording of one call, owned while it is made."""

    def __init__(self, entry: spool.SpoolEntry, place: Place, committer: Committer) -> None:
        self._entry, self._place, self._committer = entry, place, committer
        self.dropped = False
        self.owed = False

    @property
    def sid(self) -> str:
        """RE and 32 hexadecimal digits."""
        return self._entry.sidecar.recording_sid

    @property
    def url(self) -> str:
        """Its RecordingUrl."""
        return self._place.account.recording_url(self._place.public_url, self.sid)

    @property
    def path(self) -> Path:
        """Where to record."""
        return self._entry.wav

    @property
    def started_at(self) -> datetime:
        """When it was begun, UTC."""
        return datetime.fromisoformat(self._entry.sidecar.started_at)

    def finish(self, recorded: Recorded, trim: bool) -> float | None:
        """Make the recording safe, then known; its seconds, or None where nothing was recorded.

        trim: the silence behind the last word is cut off; a recording that is all silence is absent then. Returns
        when the URL answers, or after COMMIT_SECONDS: a database that is away gets it later. SpoolError, OSError: the
        disk is full; what there is of it is adopted as after a crash.
        """
        result = recorded.result
        if not result.duration:
            self._entry.drop()
            self.dropped = True
            return None
        silent = trim and result.heard.speech < LEAST_SPEECH
        samples = trimming.end_of_message(result, self._place.trailing_silence) if trim and not silent else None
        size = result.size if samples is None else HEADER_SIZE + samples
        duration = result.duration if samples is None else samples / SAMPLE_RATE
        # Its sidecar may be in place, and an error come after it.
        self.owed = True
        self._entry.finish(
            spool.DISCARDED if silent else spool.COMPLETE,
            duration=duration,
            speech=result.heard.speech,
            size=size,
            ended_by=recorded.ended_by,
            trimmed=samples is not None,
        )
        self.owed = False
        try:
            if samples is not None:
                trimming.cut(self.path, size)
        except OSError as error:
            # It is safe, and the reconciler cuts and commits it.
            log.error("recording=%s cannot be cut: %s", self.sid, error)
        else:
            self._committer.save(self._entry.id, COMMIT_SECONDS)
        return None if silent else duration


class Recordings:
    """Makes recordings in the spool."""

    def __init__(self, place: Place, committer: Committer) -> None:
        self._place, self._committer = place, committer

    @contextmanager
    def begin(self, call: Call, call_sid: str) -> Iterator[RecordingTake]:
        """Own a new recording of a call while the block runs; SpoolError where the spool is full or cannot be written.

        call_sid: CA and 32 hexadecimal digits. What the block did not finish is adopted at once, as after a crash.
        """
        self._check_disk()
        entry = spool.SpoolEntry.begin(
            self._place.folder,
            mailbox_id="",
            extension=call.facts.extensions[0] if call.facts.extensions else "",
            caller_number=call.facts.caller_number,
            caller_name=call.facts.caller_name,
            call_id=call.facts.call_id,
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            law=call.law.name.lower(),
            recording_sid=f"RE{secrets.token_hex(16)}",
            call_sid=call_sid,
        )
        take = RecordingTake(entry, self._place, self._committer)
        try:
            yield take
        finally:
            self._give_up(entry, take)

    def _check_disk(self) -> None:
        """What is free beyond that is for recordings that run, and for messages."""
        try:
            free = shutil.disk_usage(self._place.folder).free
        except FileNotFoundError:
            # It is made by the first recording.
            return
        if free < self._place.free_disk:
            log.critical("free disk %d bytes is below limits.free_disk_bytes, nothing is recorded", free)
            raise SpoolError("The disk of the voice worker has no room for recordings.")

    def _give_up(self, entry: spool.SpoolEntry, take: RecordingTake) -> None:
        """Nobody owns it any more. One that is neither finished nor empty is for the keeper to complete."""
        unfinished = entry.sidecar.state == spool.RECORDING and not take.dropped
        if unfinished and not entry.wav.exists():
            entry.drop()
            unfinished = False
        entry.close()
        if unfinished or take.owed:
            self._committer.adopt(entry.id)
