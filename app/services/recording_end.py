"""The end of recordings of programmed calls: deleted by a program, or after programmable.recording_days.

As with messages (app/services/purge.py): first the tombstone with its line of the audit log, then the files, then the
note that they are gone. A kill in between, or a store that is away, leaves a tombstone whose files the sweep removes.
A tombstone keeps a spool that comes back from bringing the recording back. It goes after TOMBSTONE_DAYS: as long as it
is there, so is the row of its call, which tells who called.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, and_, case, exists, null, or_, select, true, update
from sqlalchemy import delete as delete_rows

from app.database import writing
from app.errors import NotFound
from app.extensions import db
from app.models import Delivery, Recording
from app.models.base import database_days_ago, database_now
from app.models.delivery import PENDING, RUNNING
from app.services import audit, recordings, retention
from app.services.context import settings
from app.services.purge import BATCH, PATIENCE_SECONDS, SWEEP_SECONDS, until_it_fails
from app.services.spool import remove_spool
from app.services.store_folder import open_to_change
from app.storage import StoreError, cache, recording_key

log = logging.getLogger(__name__)
TOMBSTONE_DAYS = 30


def delete(sid: str, *, actor: str, call_sid: str | None = None) -> None:
    """Delete a recording at somebody's wish: it is listed no more, its audio goes. NotFound, as recordings.get()."""
    recordings.get(sid, call_sid=call_sid)
    if not _bury([sid], true(), actor, "deleted"):
        raise NotFound(recordings.NO_SUCH)
    _remove_all([sid], PATIENCE_SECONDS)


def sweep() -> int:
    """End recordings whose days are over, at most BATCH, and remove what an earlier end left behind.

    Returns how many were ended or rid of their files: with BATCH or more there may be others. Safe with several at
    once.
    """
    ended: list[str] = []
    if days := settings().programmable.recording_days:
        # Not this host's clock: one that is wrong would end all of them.
        old = Recording.created_at < database_days_ago(days)
        query = select(Recording.sid).where(Recording.purged_at.is_(None), old).order_by(Recording.created_at)
        ids = list(db.session.scalars(query.limit(BATCH)))
        db.session.rollback()
        ended = _bury(ids, old, retention.ACTOR, f"older than {days} days")
        _remove_all(ended, SWEEP_SECONDS)
    left = _remove_all(_leftovers(), SWEEP_SECONDS)
    _forget()
    if ended:
        log.info("%d recordings of calls were too old and are gone", len(ended))
    return max(len(ended), left)


def _bury(sids: Sequence[str], which: ColumnElement[bool], actor: str, why: str) -> list[str]:
    """Leave tombstones of those recordings that have none yet and still are one of these; their sids."""
    if not sids:
        return []
    with writing():
        # In the order of their sids: two that do this at once wait for each other's rows, but not both.
        query = select(Recording).where(Recording.sid.in_(sids), Recording.purged_at.is_(None), which)
        found = list(db.session.scalars(query.order_by(Recording.sid).with_for_update()))
        now = db.session.scalar(select(database_now()))
        for recording in found:
            recording.deleted_at = recording.deleted_at or now
            recording.purged_at = now
            audit.record(actor, "recording.purge", recording.sid, f"{recording.call_sid}: {why}")
        return [recording.sid for recording in found]


def _forget() -> None:
    """Remove tombstones that are old, whose files are gone and whose uploads are over; at most BATCH."""
    old = and_(Recording.purged_at < database_days_ago(TOMBSTONE_DAYS), Recording.storage_key.is_(None))
    at_work = exists().where(Delivery.recording_sid == Recording.sid, Delivery.state.in_((PENDING, RUNNING)))
    query = select(Recording.sid).where(old, Recording.spool_host.is_(None), ~at_work).order_by(Recording.sid)
    sids = list(db.session.scalars(query.limit(BATCH)))
    db.session.rollback()
    if not sids:
        return
    with writing():
        for statement in (
            delete_rows(Delivery).where(Delivery.recording_sid.in_(sids)),
            delete_rows(Recording).where(Recording.sid.in_(sids)),
        ):
            db.session.execute(statement.execution_options(synchronize_session=False))


def _leftovers() -> list[str]:
    """Tombstones whose files this host has to remove, from a random one on: none that fails is in others' way."""
    here = or_(Recording.storage_key.is_not(None), Recording.spool_host == settings().host_name)
    start = f"RE{secrets.token_hex(16)}"
    found: list[str] = []
    for part in (Recording.sid >= start, Recording.sid < start):
        query = select(Recording.sid).where(Recording.purged_at.is_not(None), here, part).order_by(Recording.sid)
        found += db.session.scalars(query.limit(BATCH - len(found)))
    db.session.rollback()
    return found


def _remove_all(sids: Iterable[str], seconds: float) -> int:
    """Remove the files of these tombstones, and note it; of how many it was done."""
    done = until_it_fails(sids, _remove_files, seconds)
    if done:
        here = settings().host_name
        host = case((Recording.spool_host == here, null()), else_=Recording.spool_host)
        with writing():
            locked = select(Recording.sid).where(Recording.sid.in_(done)).order_by(Recording.sid).with_for_update()
            db.session.execute(locked).all()
            change = update(Recording).where(Recording.sid.in_(done)).values(storage_key=None, spool_host=host)
            db.session.execute(change.execution_options(synchronize_session=False))
    return len(done)


def _remove_files(sid: str) -> bool:
    """Remove the object of a tombstone, and what this host has of it; False where it is to be tried again."""
    recording = db.session.get(Recording, sid)
    if recording is None:
        return True
    take_id, host = recording.take_id, recording.spool_host
    db.session.rollback()
    key = recording_key(sid)
    try:
        open_to_change(settings()).delete(key)
        cache.forget(settings(), key)
        # Another host's goes when the reconciler of that host comes by.
        if take_id and host in (None, settings().host_name):
            remove_spool(settings(), take_id)
    except (StoreError, OSError) as error:
        log.warning("recording=%s is deleted, its files follow: %s", sid, error)
        return False
    return True
