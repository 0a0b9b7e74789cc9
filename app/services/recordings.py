"""Recordings of programmed calls: saved once, listed. Their end is in app/services/recording_end.py."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.database import afterwards, writing
from app.errors import NotFound
from app.extensions import db
from app.jobs import queue
from app.models import Call, Delivery, Recording
from app.models.base import database_now
from app.services import outbox_rows
from app.services.context import settings
from app.services.deposit import SpoolFate

log = logging.getLogger(__name__)
COMPLETED, ABSENT = "completed", "absent"
NO_SUCH = "There is no such recording."


@dataclass(frozen=True)
class RecordingTake:
    """A finished recording as the voice worker hands it over.

    id: of its take in the spool of host. duration: seconds; size: bytes. caller, called, sip_call_id: of its call,
    where that is not written down yet. absent: no speech was heard in it.
    """

    id: str
    sid: str
    call_sid: str
    caller: str
    called: str
    sip_call_id: str
    started_at: datetime
    duration: float
    size: int
    sha256: str
    host: str
    absent: bool = False


def save(take: RecordingTake) -> Recording:
    """Make the row of a recording with its upload in one commit, once however often it is called.

    One that is known already learns on which host its audio lies: hosts get other names.
    """
    found = db.session.get(Recording, take.sid)
    if found is not None:
        _settle(found, take.host)
        return found
    _ensure_call(take)
    recording = Recording(
        sid=take.sid,
        call_sid=take.call_sid,
        take_id=take.id,
        status=ABSENT if take.absent else COMPLETED,
        duration=take.duration,
        spool_host=take.host,
        size=take.size,
        sha256=take.sha256,
        started_at=take.started_at,
        # Not this host's clock: a recording is purged so many days after it.
        created_at=database_now(),
    )
    try:
        with writing():
            db.session.add(recording)
            db.session.flush()
            upload = outbox_rows.for_recording(recording, settings())
            db.session.add(upload)
            due = queue.Due.of(upload)
            afterwards(lambda: queue.enqueue_deliveries([due]))
    except IntegrityError:
        found = db.session.get(Recording, take.sid)
        if found is None:
            raise
        return found
    return recording


def known_ids(take_ids: Iterable[str]) -> dict[str, SpoolFate]:
    """What is known of takes in the spool of this host, as messages.known_ids() says it of those of messages."""
    host, fates = settings().host_name, dict[str, SpoolFate]()
    wanted = list(take_ids)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        query = select(Recording).where(Recording.take_id.in_(part))
        for row in db.session.scalars(query):
            take_id, spool_host, purged_at = row.take_id or "", row.spool_host, row.purged_at
            if purged_at is not None or spool_host is None:
                fates[take_id] = SpoolFate.STORED
            elif spool_host == host:
                fates[take_id] = SpoolFate.OWED
    return fates


def get(sid: str, *, call_sid: str | None = None) -> Recording:
    """A recording that is not deleted, of this call where one is named; NotFound."""
    recording = db.session.get(Recording, sid)
    if recording is None or recording.deleted_at is not None or recording.purged_at is not None:
        raise NotFound(NO_SUCH)
    if call_sid is not None and recording.call_sid != call_sid:
        raise NotFound(NO_SUCH)
    return recording


def of_call(call_sid: str) -> list[Recording]:
    """The recordings of a call that are not deleted, in the order in which they were made."""
    query = select(Recording).where(Recording.call_sid == call_sid, Recording.deleted_at.is_(None))
    query = query.where(Recording.purged_at.is_(None)).order_by(Recording.started_at, Recording.sid)
    return list(db.session.scalars(query))


def whole_seconds(duration: float | None) -> str | None:
    """A duration as Twilio tells it: whole seconds as a text, at least one; None where it is not known."""
    return None if duration is None else str(max(1, round(duration)))


def _ensure_call(take: RecordingTake) -> None:
    """The row of its call, with what is known of it here, where the call's own account of itself has not come yet.

    A transaction of its own: whoever writes the row at the same moment does no harm.
    """
    if db.session.get(Call, take.call_sid) is not None:
        return
    call = Call(
        sid=take.call_sid,
        direction="inbound",
        caller=_text(take.caller, 128),
        called=_text(take.called, 128),
        status="in-progress",
        sip_call_id=_text(take.sip_call_id, 255),
        started_at=take.started_at,
    )
    try:
        with writing():
            db.session.add(call)
    except IntegrityError:
        # It has come meanwhile.
        db.session.rollback()


def _settle(recording: Recording, host: str) -> None:
    """The audio of a recording that is only in a spool lies on this host: its upload runs here."""
    if recording.purged_at is not None or recording.spool_host in (None, host):
        return
    log.warning("recording=%s lies in the spool of %s, no longer of %s", recording.sid, host, recording.spool_host)
    sid = recording.sid
    with writing():
        upload = update(Delivery).where(Delivery.recording_sid == sid)
        db.session.execute(upload.values(target=host, queued_until=None))
        moved = update(Recording).where(Recording.sid == sid, Recording.spool_host.is_not(None))
        db.session.execute(moved.where(Recording.purged_at.is_(None)).values(spool_host=host))


def _text(value: str, longest: int) -> str:
    return "".join(character for character in value if character.isprintable())[:longest]
