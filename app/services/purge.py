"""The end of messages: what is purged is gone for good; a row without content remains as its tombstone.

First the tombstones, with their events and lines of the audit log, then the files of each, then the note that they are
gone: a kill in between leaves tombstones whose files remove_leftovers() removes, as does a store that is away.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, case, delete, null, or_, select, true, update

from app.database import writing
from app.errors import Invalid
from app.extensions import db
from app.models import Event, Greeting, Mailbox, Message
from app.models.base import database_days_ago, database_now, new_id
from app.models.message import DISCARDED
from app.services import audit, events, mailboxes, messages, retention, trimmed
from app.services.context import settings
from app.services.inbox import touch
from app.services.spool import remove_spool
from app.services.store_folder import open_to_change
from app.storage import StoreError, cache, message_key

log = logging.getLogger(__name__)
T = TypeVar("T")
BATCH = 200
# A store that failed so often in a row is away: it is asked again at the next sweep.
FAILURES = 3
# How long a person waits for the files of an emptied trash; the sweep removes the others.
PATIENCE_SECONDS = 5.0
SWEEP_SECONDS = 60.0
EVENTS_AT_ONCE = 1000


def purge(message_id: str, *, actor: str = retention.ACTOR) -> None:
    """Remove a message's audio everywhere and what tells of its caller; harmless when it was purged before."""
    _end([message_id], true(), actor)
    _remove_all([message_id], SWEEP_SECONDS)


def delete_for_good(message_id: str, *, actor: str) -> Message:
    """Purge a message that is in the trash, at somebody's wish; NotFound, Invalid where it is not in the trash.

    Returns its tombstone.
    """
    message = messages.get(message_id)
    if message.deleted_at is None or not _end([message_id], Message.deleted_at.is_not(None), actor):
        raise Invalid({"message": "Only what is in the trash can be deleted for good."})
    _remove_all([message_id], PATIENCE_SECONDS)
    return db.session.get_one(Message, message_id, populate_existing=True)


def empty_trash(extension: str, *, until: datetime, actor: str) -> int:
    """Purge what came into a mailbox's trash until that time; how many messages. NotFound.

    Their files go as far as a person's patience reaches, the others with the next sweep.
    """
    which = and_(Message.mailbox_id == mailboxes.get(extension).id, Message.deleted_at <= until)
    purged: list[str] = []
    while ids := _ids(and_(Message.purged_at.is_(None), which)):
        purged += (gone := _end(ids, which, actor))
        if not gone:
            break
    _remove_all(purged, PATIENCE_SECONDS)
    return len(purged)


def sweep_retention() -> int:
    """Purge what is to end by app/services/retention.py, at most BATCH, and remove what an earlier purge left behind.

    Returns how many messages were purged or rid of their files: with BATCH or more there may be others.
    """
    # Not this host's clock: one that is wrong would empty every trash.
    which = retention.ended()
    # Somebody may take one back in the last moment: which() holds when the row is locked, too.
    purged = _end(_ids(and_(Message.purged_at.is_(None), which)), which, retention.ACTOR)
    _remove_all(purged, SWEEP_SECONDS)
    _end_greetings()
    _end_events()
    left = _remove_all(_leftovers(), SWEEP_SECONDS)
    if purged:
        log.info("%d messages purged", len(purged))
    return max(len(purged), left)


def _end(ids: Sequence[str], which: ColumnElement[bool], actor: str) -> list[str]:
    """Leave tombstones of those messages that are not purged and still are one of these; their ids."""
    boxes: dict[str, list[str]] = {}
    if ids:
        for mailbox_id, message_id in db.session.execute(
            select(Message.mailbox_id, Message.id).where(Message.id.in_(ids))
        ):
            boxes.setdefault(mailbox_id, []).append(message_id)
    db.session.rollback()
    return [gone for mailbox_id, mine in boxes.items() for gone in _bury(mailbox_id, mine, which, actor)]


def _bury(mailbox_id: str, ids: Sequence[str], which: ColumnElement[bool], actor: str) -> list[str]:
    """As _end(), for messages of one mailbox in one transaction."""
    with writing():
        # In the order of their ids: two that do this at once wait for each other's rows, but not both.
        query = select(Message).where(Message.id.in_(ids), Message.purged_at.is_(None), which)
        found = list(db.session.scalars(query.order_by(Message.id).with_for_update()))
        if not found:
            return []
        box = db.session.get_one(Mailbox, mailbox_id)
        now = db.session.scalar(select(database_now()))
        for message in found:
            audit.record(actor, "message.purge", message.id, f"{box.extension}: {_why(message, box)}")
            message.purged_at = now
            message.caller_number = message.caller_name = message.call_id = ""
        db.session.flush()
        touch(mailbox_id)
        gone = [message.id for message in found]
        events.record_all(events.MESSAGE_PURGED, mailbox_id, gone)
    return gone


def _why(message: Message, box: Mailbox) -> str:
    if box.live_extension is None:
        return "mailbox deleted"
    if message.deleted_at is not None:
        return "trash"
    return "no speech" if message.state == DISCARDED else "removed"


def _end_greetings() -> None:
    """Greetings end with their mailbox: first the audio, then the row that names it."""
    gone = Mailbox.deleted_at < database_days_ago(settings().retention.trash_days)
    query = select(Greeting).join(Mailbox, Mailbox.id == Greeting.mailbox_id).where(gone)
    rows = [(row.id, row.mailbox_id, row.kind, row.storage_key) for row in db.session.scalars(query.limit(BATCH))]
    db.session.rollback()

    def end(row: tuple[str, str, str, str]) -> bool:
        greeting_id, mailbox_id, kind, key = row
        try:
            open_to_change(settings()).delete(key)
        except (StoreError, OSError) as error:
            log.warning("greeting=%s is to go, its audio is still in the store: %s", greeting_id, error)
            return False
        with writing():
            db.session.execute(delete(Greeting).where(Greeting.id == greeting_id))
            audit.record(retention.ACTOR, "greeting.remove", mailbox_id, f"{kind}: mailbox deleted")
        return True

    until_it_fails(rows, end, SWEEP_SECONDS)


def _end_events() -> None:
    """Remove what happened too long ago, in small transactions."""
    old = Event.created_at < database_days_ago(settings().retention.event_days)
    while True:
        with writing():
            numbers = list(db.session.scalars(select(Event.number).where(old).limit(EVENTS_AT_ONCE)))
            db.session.execute(delete(Event).where(Event.number.in_(numbers)))
        if len(numbers) < EVENTS_AT_ONCE:
            break


def _ids(which: ColumnElement[bool]) -> list[str]:
    # Of few mailboxes at a time: each is a transaction.
    ids = list(db.session.scalars(select(Message.id).where(which).order_by(Message.mailbox_id).limit(BATCH)))
    db.session.rollback()
    return ids


def _leftovers() -> list[str]:
    """Tombstones whose files this host has to remove, from a random one on: none that fails is in others' way."""
    here = or_(Message.storage_key.is_not(None), Message.spool_host == settings().host_name)
    start = new_id()
    found: list[str] = []
    for part in (Message.id >= start, Message.id < start):
        query = select(Message.id).where(Message.purged_at.is_not(None), here, part).order_by(Message.id)
        found += db.session.scalars(query.limit(BATCH - len(found)))
    db.session.rollback()
    return found


def _remove_all(ids: Iterable[str], seconds: float) -> int:
    """Remove the files of these tombstones, and note it; of how many it was done."""
    done = until_it_fails(ids, _remove_files, seconds)
    if done:
        here = settings().host_name
        host = case((Message.spool_host == here, null()), else_=Message.spool_host)
        with writing():
            # In the order of their ids, as all who lock several.
            locked = select(Message.id).where(Message.id.in_(done)).order_by(Message.id).with_for_update()
            db.session.execute(locked).all()
            db.session.execute(
                update(Message)
                .where(Message.id.in_(done))
                .values(storage_key=None, spool_host=host)
                .execution_options(synchronize_session=False)
            )
    return len(done)


def until_it_fails(items: Iterable[T], act: Callable[[T], bool], seconds: float) -> list[T]:
    """Do this with each, for so long, and until it fails FAILURES times in a row; those with which it was done."""
    done: list[T] = []
    failures = 0
    end = time.monotonic() + seconds
    for item in items:
        if failures >= FAILURES or time.monotonic() > end:
            break
        if act(item):
            done.append(item)
            failures = 0
        else:
            failures += 1
    return done


def _remove_files(message_id: str) -> bool:
    """Remove the object of a tombstone, and what this host has of it; False where it is to be tried again."""
    message = db.session.get(Message, message_id)
    if message is None:
        return True
    key, host = message_key(message.mailbox_id, message.id), message.spool_host
    db.session.rollback()
    here = settings().host_name
    try:
        open_to_change(settings()).delete(key)
        cache.forget(settings(), key)
        if host in (None, here):
            remove_spool(settings(), message_id)
        # Another host's goes when the reconciler of that host comes by.
        trimmed.remove(settings(), message_id)
    except (StoreError, OSError) as error:
        log.warning("message=%s is purged, its files follow: %s", message_id, error)
        return False
    return True
