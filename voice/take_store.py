"""Takes go from the spool to the application: saved as a message or a recording, adopted after a crash.

A part of the door of voice/store.py, which runs in the keeper process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime

from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from app import create_app
from app.config import Settings
from app.extensions import db
from app.models import Mailbox
from app.services import messages, recordings, trimmed
from app.services import spool as app_spool
from voice import retakes, spool, trimming
from voice.errors import SpoolError
from voice.helper_serving import one_line
from voice.media import wav
from voice.media.speech import speech_seconds

log = logging.getLogger(__name__)


AT_ONCE = 500
"""Takes of the spool that are looked up together."""
MOST_IN_A_ROW = 3
"""Mailboxes one after the other whose takes the database refuses; then it is away, and each take costs a time-out."""


class TakeStore:
    """The application as takes see it. Each method is one piece of work and one session."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app = create_app(settings, portal=False)

    def context(self) -> AbstractContextManager[object]:
        """One session of the application, for one piece of work."""
        return self._app.app_context()

    def save(self, take_id: str) -> bool:
        """Make the message, or the recording of a call, of a finished take, or find it made; True once that is done.

        Raises SpoolError for a take that can never become one, SQLAlchemyError where the database is away.
        """
        sidecar = spool.read(self._settings.spool_dir, take_id)
        if sidecar.state == spool.RECORDING:
            raise SpoolError(f"the take {take_id} is not finished")
        take = self._take(sidecar)
        with self._app.app_context():
            try:
                if isinstance(take, recordings.RecordingTake):
                    recordings.save(take)
                else:
                    messages.save_take(take)
            except (IntegrityError, DataError) as error:
                raise SpoolError(f"the database refuses the take {take_id}: {error.orig}") from None
            except (OverflowError, UnicodeError) as error:
                # Of the driver: a number or a text that only a damaged sidecar has.
                raise SpoolError(f"the database cannot keep the take {take_id}: {error}") from None
        return True

    def _take(self, sidecar: spool.Sidecar) -> messages.Take | recordings.RecordingTake:
        try:
            started_at = datetime.fromisoformat(sidecar.started_at).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            raise SpoolError(f"the sidecar of {sidecar.id} says no time") from None
        path = self._settings.spool_dir / f"{sidecar.id}.wav"
        try:
            if sidecar.again:
                retakes.settle(path)
            if sidecar.trimmed:
                trimming.settle(path, sidecar.size)
            sha256 = sidecar.sha256 or wav.sha256_of(path)
        except OSError as error:
            raise SpoolError(f"the recording of {sidecar.id} cannot be read: {error.strerror}") from None
        if sidecar.recording_sid:
            return self._recording(sidecar, started_at, sha256)
        return messages.Take(
            id=sidecar.id,
            mailbox_id=sidecar.mailbox_id,
            caller_number=sidecar.caller_number,
            caller_name=sidecar.caller_name,
            call_id=sidecar.call_id,
            received_at=started_at,
            duration=sidecar.duration,
            size=sidecar.size,
            sha256=sha256,
            urgent=sidecar.urgent,
            discarded=sidecar.state == spool.DISCARDED,
            host=self._settings.host_name,
            forwarded_from=sidecar.forwarded_from,
            forwarded_by=sidecar.forwarded_by,
        )

    def _recording(self, sidecar: spool.Sidecar, started_at: datetime, sha256: str) -> recordings.RecordingTake:
        return recordings.RecordingTake(
            id=sidecar.id,
            sid=sidecar.recording_sid,
            call_sid=sidecar.call_sid,
            caller=sidecar.caller_number,
            called=sidecar.extension,
            sip_call_id=sidecar.call_id,
            started_at=started_at,
            duration=sidecar.duration,
            size=sidecar.size,
            sha256=sha256,
            host=self._settings.host_name,
            absent=sidecar.state == spool.DISCARDED,
        )

    def reconcile(self) -> int:
        """Adopt what calls and crashes left in the spool; the number of takes adopted. Raises as adopt() does."""
        adopted = self.adopt(spool.listing(self._settings.spool_dir))
        # Last: what cannot be removed must not be in the way of messages.
        spool.sweep(self._settings.spool_dir)
        spool.sweep_copies(self._settings.spool_dir)
        with self._app.app_context():
            trimmed.sweep(self._settings)
        return adopted

    def adopt(self, ids: Sequence[str]) -> int:
        """Complete those of these takes that nobody owns, and make their messages; the number of takes adopted.

        SQLAlchemyError: the database is away, or refused some of them for now, and only the others are adopted.
        """
        refusals = _Refusals()
        # By and by: where nothing was uploaded for a day there are many.
        parts = (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))
        adopted = sum(self._adopt_part(part, refusals) for part in parts)
        refusals.tell()
        return adopted

    def _adopt_part(self, ids: Sequence[str], refusals: _Refusals) -> int:
        with self._app.app_context():
            fates = messages.known_ids(ids) | recordings.known_ids(ids)
        adopted = 0
        for take_id in ids:
            fate = fates.get(take_id)
            if fate is messages.SpoolFate.OWED:
                continue
            try:
                with spool.adopted(self._settings.spool_dir, take_id) as entry:
                    if entry is None:
                        continue
                    if fate is messages.SpoolFate.STORED:
                        app_spool.remove_spool(self._settings, take_id)
                    elif not refusals.concern(entry.sidecar):
                        adopted += self._adopt_owned(entry, refusals)
            except (SpoolError, OSError) as error:
                # A bad block, a right that is missing: the other takes are not to wait for this one.
                log.error("take=%s cannot be adopted: %s", take_id, error)
        return adopted

    def _adopt_owned(self, entry: spool.SpoolEntry, refusals: _Refusals) -> bool:
        """Complete a take and make its message; False where there is nothing to keep, or the database refuses it."""
        with refusals.of(entry.sidecar):
            if self._finish(entry):
                self.save(entry.id)
                log.warning(
                    "adopted take=%s mailbox=%s state=%s ended_by=%s",
                    entry.id,
                    entry.sidecar.extension,
                    entry.sidecar.state,
                    entry.sidecar.ended_by,
                )
                return True
        return False

    def _finish(self, entry: spool.SpoolEntry) -> bool:
        """Complete what a crash interrupted; False where there is nothing to keep."""
        if entry.sidecar.state != spool.RECORDING:
            _forget_left_over(entry)
            return True
        # It was not cut yet: it is whole.
        trimming.forget_tail(entry.wav)
        try:
            duration, size = wav.complete_header(entry.wav)
        except FileNotFoundError:
            # The call died before the first block of audio was written.
            entry.drop()
            return False
        except OSError as error:
            # A full or broken disk: what there is stays, and is tried again.
            raise SpoolError(f"its file cannot be completed: {error.strerror}") from error
        if duration <= 0:
            entry.drop()
            return False
        # An hour of a programmed call would be heard for nothing: it is kept in any case.
        speech = 0.0 if entry.sidecar.recording_sid else speech_seconds(entry.wav)
        entry.finish(
            spool.COMPLETE if self._says_enough(entry.sidecar, speech, duration) else spool.DISCARDED,
            duration=duration,
            speech=speech,
            size=size,
            ended_by="crash",
            urgent=entry.sidecar.urgent,
        )
        return True

    def _says_enough(self, sidecar: spool.Sidecar, speech: float, duration: float) -> bool:
        """Whether a take whose end nobody saw is to be kept: of a programmed call all is, and a copy of a message."""
        if sidecar.recording_sid or sidecar.forwarded_from:
            return True
        return speech >= self._min_speech(sidecar.mailbox_id) and duration >= self._settings.min_duration

    def _min_speech(self, mailbox_id: str) -> float:
        """Seconds of speech that a message of this mailbox needs."""
        with self._app.app_context():
            box = db.session.get(Mailbox, mailbox_id)
            own = box.min_speech if box else None
        return self._settings.min_speech if own is None else own


class _Refusals:
    """What the database refused while takes were adopted, as where somebody holds the row of a mailbox for long.

    The takes of other mailboxes do not wait for it, and those of the same one do not each wait for a time-out.
    """

    def __init__(self) -> None:
        self._first: SQLAlchemyError | None = None
        self._mailboxes = set[str]()
        self._in_a_row = 0

    def concern(self, sidecar: spool.Sidecar) -> bool:
        """Whether a take of the same mailbox was refused before; a recording of a call has none."""
        return sidecar.mailbox_id in self._mailboxes

    @contextmanager
    def of(self, sidecar: spool.Sidecar) -> Iterator[None]:
        """Note that the database refuses the take in the block; raises it where it is the last of too many in a row."""
        try:
            yield
        except SQLAlchemyError as error:
            self._first = self._first or error
            self._in_a_row += 1
            if sidecar.mailbox_id:
                self._mailboxes.add(sidecar.mailbox_id)
            log.error("take=%s cannot be adopted yet: %s", sidecar.id, one_line(error))
            if self._in_a_row == MOST_IN_A_ROW:
                raise
        else:
            self._in_a_row = 0

    def tell(self) -> None:
        """Raise the first refusal, if there was one."""
        if self._first is not None:
            raise self._first


def _forget_left_over(entry: spool.SpoolEntry) -> None:
    """Remove what a kill or a full disk left beside a take that is complete; where that fails, the take is still one.

    That is an attempt that its caller never came to the end of, where the sidecar does not say that it is the take; and
    a tail that was kept before the take was to be cut, where the sidecar does not say that it was: the take is whole.
    """
    if not entry.sidecar.again:
        with suppress(OSError):
            retakes.forget(entry.wav)
    if not entry.sidecar.trimmed:
        with suppress(OSError):
            trimming.forget_tail(entry.wav)
