"""Takes: from the sidecar before the first frame to the commit, as one call goes through it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from voice import spool, trimming
from voice.call import Call
from voice.mailbox import MailboxFacts
from voice.media import SAMPLE_RATE
from voice.media.g711 import Law
from voice.media.wav import HEADER_SIZE
from voice.verbs.record import Recorded

log = logging.getLogger(__name__)


class Committer(Protocol):
    """Whoever turns a finished take into a message (voice.keeper_client.KeeperClient)."""

    def save(self, take_id: str) -> bool: ...
    def adopt(self, take_id: str) -> None: ...


@dataclass(frozen=True)
class TakeRules:
    """When a take is a message: seconds of speech and of length that it needs at least; and where it ends.

    trailing_silence: seconds left after the last word. keep_trimmed: what is cut off is kept.
    """

    min_speech: float
    min_duration: float
    trailing_silence: float = 0.5
    keep_trimmed: bool = True


class Take:
    """One take of one call."""

    def __init__(self, entry: spool.SpoolEntry, rules: TakeRules, committer: Committer) -> None:
        self._entry, self._rules, self._committer = entry, rules, committer
        self.dropped = False

    @property
    def id(self) -> str:
        return self._entry.id

    @property
    def path(self) -> Path:
        return self._entry.wav

    def finish(self, recorded: Recorded) -> bool:
        """Make the take safe, then a message; True where it is one, False where nothing was said.

        The commit may take up to 2 s and may fail: from the sidecar on, the take is safe.
        """
        result = recorded.result
        kept = result.heard.speech >= self._rules.min_speech and result.duration >= self._rules.min_duration
        if result.frames == 0:
            self._entry.drop()
            self.dropped = True
            return False
        samples = self._keep_tail(recorded) if kept else None
        size = result.size if samples is None else HEADER_SIZE + samples
        self._entry.finish(
            spool.COMPLETE if kept else spool.DISCARDED,
            duration=result.duration if samples is None else samples / SAMPLE_RATE,
            speech=result.heard.speech,
            size=size,
            trimmed=samples is not None,
            ended_by=recorded.ended_by,
        )
        try:
            if samples is not None:
                trimming.cut(self.path, size)
        except OSError as error:
            # The take is safe, and the reconciler cuts it.
            log.error("take=%s cannot be cut: %s", self.id, error)
            return kept
        self._committer.save(self.id)
        return kept

    def _keep_tail(self, recorded: Recorded) -> int | None:
        """Keep what is to be cut off; samples of the message, or None where it is all of the recording."""
        samples = trimming.end_of_message(recorded, self._rules.trailing_silence)
        if samples is None or not self._rules.keep_trimmed:
            return samples
        try:
            trimming.keep_tail(self.path, Law[self._entry.sidecar.law.upper()], samples)
        except OSError as error:
            log.error("take=%s stays untrimmed: %s", self.id, error)
            # A part of it would pass for what comes after the message.
            with suppress(OSError):
                trimming.forget_tail(self.path)
            return None
        return samples


class Takes:
    """Makes takes in the spool."""

    def __init__(self, folder: Path, rules: TakeRules, committer: Committer) -> None:
        self._folder, self._rules, self._committer = folder, rules, committer

    @contextmanager
    def begin(self, call: Call, mailbox: MailboxFacts) -> Iterator[Take]:
        """Own a new take while the block runs; SpoolError where the spool cannot be written.

        A take that the block did not finish is adopted at once where it has audio, as after a crash.
        """
        entry = spool.SpoolEntry.begin(
            self._folder,
            mailbox_id=mailbox.id,
            extension=mailbox.extension,
            caller_number=call.facts.caller_number,
            caller_name=call.facts.caller_name,
            call_id=call.facts.call_id,
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            law=call.law.name.lower(),
        )
        take = Take(entry, self._rules, self._committer)
        try:
            yield take
        finally:
            self._give_up(entry, take)

    def _give_up(self, entry: spool.SpoolEntry, take: Take) -> None:
        """Nobody owns the take any more. One that is neither finished nor empty is for the keeper to complete."""
        unfinished = entry.sidecar.state == spool.RECORDING and not take.dropped
        if unfinished and not entry.wav.exists():
            entry.drop()
            unfinished = False
        entry.close()
        if unfinished:
            self._committer.adopt(take.id)
