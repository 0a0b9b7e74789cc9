"""Takes: from the sidecar before the first frame to the commit, as one call goes through it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from voice import retakes, spool, trimming
from voice.call import Call
from voice.errors import SpoolError
from voice.mailbox import MailboxFacts
from voice.media import SAMPLE_RATE
from voice.media.g711 import Law
from voice.media.recorder import RecordingResult
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
    """One take of one call.

    finish() makes it a message. Where its caller may still change it: hold(), then retake() and mark_urgent() as often
    as he likes, then keep(). From hold() on it is safe: if nothing follows any more, it becomes a message as it is.
    """

    def __init__(self, entry: spool.SpoolEntry, rules: TakeRules, committer: Committer) -> None:
        self._entry, self._rules, self._committer = entry, rules, committer
        self._held: Recorded | None = None
        self.dropped = False

    @property
    def id(self) -> str:
        return self._entry.id

    @property
    def path(self) -> Path:
        return self._entry.wav

    @property
    def listen_path(self) -> Path:
        """Where what will be the message can be listened to, also after a retake() that failed. SpoolError, OSError."""
        self._settle()
        return self.path

    @property
    def retake_path(self) -> Path:
        """Where the caller's next attempt is recorded; there is nothing yet. SpoolError, OSError."""
        self._settle()
        retakes.forget(self.path)
        return retakes.path_of(self.path)

    @property
    def urgent(self) -> bool:
        return self._entry.sidecar.urgent

    @property
    def owed(self) -> bool:
        """It is held, or was to be finished, and nobody has asked for its message yet."""
        return self._held is not None

    def says_enough(self, recorded: Recorded) -> bool:
        """Whether there is enough speech in it for a message."""
        result = recorded.result
        return result.heard.speech >= self._rules.min_speech and result.duration >= self._rules.min_duration

    def finish(self, recorded: Recorded) -> bool:
        """Make the take safe, then a message; True where it is one, False where nothing was said.

        The commit may take up to 2 s and may fail: from the sidecar on, the take is safe.
        """
        if not recorded.result.duration:
            self._entry.drop()
            self.dropped = True
            return False
        kept = self.says_enough(recorded)
        # Its sidecar may be in place, and an error come after it.
        self._held = recorded
        self._complete(recorded, kept=kept)
        self._held = None
        return kept

    def hold(self, recorded: Recorded) -> None:
        """Make a take that says enough safe, but no message yet; SpoolError."""
        # Its sidecar may be in place, and an error come after it.
        self._held = recorded
        self._entry.finish(
            spool.COMPLETE,
            duration=recorded.result.duration,
            speech=recorded.result.heard.speech,
            size=recorded.result.size,
            ended_by=recorded.ended_by,
        )

    def retake(self, recorded: Recorded) -> bool:
        """Put what was recorded at retake_path in place of the take; False where nothing was said: the take stays.

        SpoolError, OSError: one of both is the take, whole.
        """
        if not self.says_enough(recorded):
            retakes.forget(self.path)
            return False
        result = recorded.result
        try:
            # The one moment at which the new recording is the take, and the old one is not.
            self._entry.change(
                duration=round(result.duration, 3),
                speech=round(result.heard.speech, 2),
                size=result.size,
                ended_by=recorded.ended_by,
                again=True,
            )
        finally:
            # An error may come before that moment or after it: the sidecar tells.
            if self._entry.sidecar.again:
                self._held = recorded
        self._settle()
        return True

    def mark_urgent(self, urgent: bool) -> None:
        """Let the message be urgent, or not; SpoolError."""
        self._entry.change(urgent=urgent)

    def keep(self) -> None:
        """The held take becomes a message, as finish() does it; harmless where it is one.

        What cannot be done now is done by the keeper, which adopts it: it has been safe since hold().
        """
        if self._held is None:
            return
        try:
            self._settle()
            # An attempt that a full disk broke off holds somebody's voice, and would stay for good.
            with suppress(OSError):
                retakes.forget(self.path)
            self._complete(self._held, kept=True)
        except (SpoolError, OSError) as error:
            log.error("take=%s is left to the keeper: %s", self.id, error)
        else:
            self._held = None

    def _settle(self) -> None:
        """What was recorded anew is in its place from here on."""
        if self._entry.sidecar.again:
            retakes.settle(self.path)
            self._entry.change(again=False)

    def _complete(self, recorded: Recorded, *, kept: bool) -> None:
        result = recorded.result
        samples = self._keep_tail(recorded.result) if kept else None
        size = result.size if samples is None else HEADER_SIZE + samples
        if samples is not None or self._entry.sidecar.state == spool.RECORDING:
            self._entry.finish(
                spool.COMPLETE if kept else spool.DISCARDED,
                duration=result.duration if samples is None else samples / SAMPLE_RATE,
                speech=result.heard.speech,
                size=size,
                trimmed=samples is not None,
                ended_by=recorded.ended_by,
                urgent=self.urgent,
            )
        try:
            if samples is not None:
                trimming.cut(self.path, size)
        except OSError as error:
            # The take is safe, and the reconciler cuts it.
            log.error("take=%s cannot be cut: %s", self.id, error)
            return
        self._committer.save(self.id)

    def _keep_tail(self, result: RecordingResult) -> int | None:
        """Keep what is to be cut off; samples of the message, or None where it is all of the recording."""
        samples = trimming.end_of_message(result, self._rules.trailing_silence)
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

        A take that the block did not finish, or held and did not keep, is adopted at once, as after a crash.
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
        rules = self._rules if mailbox.min_speech is None else replace(self._rules, min_speech=mailbox.min_speech)
        take = Take(entry, rules, self._committer)
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
        if unfinished or take.owed:
            self._committer.adopt(take.id)
