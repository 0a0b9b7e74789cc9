"""The end of messages: what is purged is gone for good; a row without content remains as its tombstone."""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, select, true, update

from app.database import writing
from app.extensions import db
from app.models import Event, Greeting, Mailbox, Message
from app.models.base import database_now, utc_now
from app.models.message import DISCARDED
from app.services import events, trimmed
from app.services.context import settings
from app.services.inbox import changed
from app.services.spool import remove_spool
from app.storage import StoreError, message_key, open_store

log = logging.getLogger(__name__)
BATCH = 200


def purge(message_id: str) -> None:
    """Remove a message's audio everywhere and what tells of its caller; harmless when it was purged before.

    First the tombstone, then the files, then the note that they are gone: a kill in between leaves a tombstone
    whose files sweep_retention() removes.
    """
    _bury(message_id, true())
    _remove_files(message_id)


def sweep_retention() -> int:
    """Purge what has been long enough in the trash or among the discarded; how many messages."""
    # Not this host's clock: one that is wrong would empty every trash.
    rules, now = settings().retention, db.session.execute(select(database_now())).scalar_one()
    trash_before = now - timedelta(days=rules.trash_days)
    overdue = or_(
        Message.deleted_at < trash_before,
        and_(Message.state == DISCARDED, Message.created_at < now - timedelta(days=rules.discarded_days)),
        Mailbox.deleted_at < trash_before,
    )
    purged = 0
    for message_id in _ids(and_(Message.purged_at.is_(None), overdue)):
        # Somebody may have taken it back in the last moment.
        if _bury(message_id, overdue):
            _remove_files(message_id)
            purged += 1
    _end_greetings(Mailbox.deleted_at < trash_before)
    with writing():
        db.session.execute(delete(Event).where(Event.created_at < now - timedelta(days=rules.event_days)))
    here = or_(Message.storage_key.is_not(None), Message.spool_host == settings().host_name)
    for message_id in _ids(and_(Message.purged_at.is_not(None), here)):
        _remove_files(message_id)
    if purged:
        log.info("%d messages purged", purged)
    return purged


def _bury(message_id: str, which: ColumnElement[bool]) -> bool:
    """Leave a tombstone of a message that is not purged and is still one of these; whether it was."""
    with writing():
        query = select(Message).join(Mailbox, Mailbox.id == Message.mailbox_id)
        query = query.where(Message.id == message_id, Message.purged_at.is_(None), which)
        message = db.session.scalar(query.with_for_update(of=Message))
        if message is None:
            return False
        message.purged_at = utc_now()
        message.caller_number = message.caller_name = message.call_id = ""
        changed(events.MESSAGE_PURGED, message.mailbox_id, message.id)
    return True


def _end_greetings(which: ColumnElement[bool]) -> None:
    """Greetings end with their mailbox: first the audio, then the row that names it."""
    query = select(Greeting.id, Greeting.storage_key).join(Mailbox, Mailbox.id == Greeting.mailbox_id).where(which)
    greetings = db.session.execute(query.limit(BATCH)).all()
    db.session.rollback()
    for greeting_id, key in greetings:
        try:
            open_store(settings()).delete(key)
        except (StoreError, OSError) as error:
            log.warning("greeting=%s is to go, its audio is still in the store: %s", greeting_id, error)
            continue
        with writing():
            db.session.execute(delete(Greeting).where(Greeting.id == greeting_id))


def _ids(which: ColumnElement[bool]) -> list[str]:
    query = select(Message.id).join(Mailbox, Mailbox.id == Message.mailbox_id).where(which).limit(BATCH)
    ids = list(db.session.scalars(query))
    db.session.rollback()
    return ids


def _remove_files(message_id: str) -> None:
    message = db.session.get(Message, message_id)
    if message is None:
        return
    key, host = message_key(message.mailbox_id, message.id), message.spool_host
    db.session.rollback()
    here = settings().host_name
    try:
        open_store(settings()).delete(key)
        if host in (None, here):
            remove_spool(settings(), message_id)
        # Another host's goes when the reconciler of that host comes by.
        trimmed.remove(settings(), message_id)
    except (StoreError, OSError) as error:
        log.warning("message=%s is purged, its files follow: %s", message_id, error)
        return
    with writing():
        changes: dict[str, object] = {"storage_key": None}
        if host == here:
            changes["spool_host"] = None
        db.session.execute(update(Message).where(Message.id == message_id).values(**changes))
