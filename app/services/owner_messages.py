"""An owner's messages by phone: in the order of their play, marked, thrown away, taken back, sent on.

Ids come without rows: a mailbox of 10,000 messages opens in milliseconds.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update

from app.database import writing
from app.errors import NotFound
from app.extensions import db
from app.models import Mailbox, Message
from app.models.base import database_now
from app.models.message import DISCARDED, NEW, SAVED
from app.services import audit, events, mailboxes, messages, quota
from app.services.inbox import changed, touch

ACTOR = "phone"
PAGE = 200
BATCH = 500
JUST_NOW_SECONDS = 60
COPIES = uuid.UUID("0b9a8f6c-3d1e-4c57-9a42-6f0de1c7b835")
"""Ids of copies are made in this namespace."""
IN_PLAY_ORDER = (Message.urgent.desc(), Message.received_at, Message.id)


class Refusal(StrEnum):
    """Why a message cannot be sent on. REFUSED: that mailbox takes no messages; FULL: it has no room for one now."""

    UNKNOWN = "unknown"
    REFUSED = "refused"
    FULL = "full"
    GONE = "gone"


@dataclass(frozen=True)
class Forwarding:
    """A message and the mailbox that gets a copy of it; by: the extension that sends it on.

    copy_id: the id that the copy gets. The same wish gets the same one until that copy is a message, then another.
    """

    message: Message
    mailbox_id: str
    extension: str
    by: str
    copy_id: str


def ids(mailbox_id: str, state: str, after: str = "", limit: int = PAGE) -> list[str]:
    """Ids of new or saved messages, urgent ones first, then the oldest: the next ones after this message.

    The message `after` may have been saved, deleted or purged meanwhile; where it never was, there is nothing.
    """
    query = select(Message.id).where(*_present(mailbox_id), Message.state == state)
    if after:
        place = select(Message.urgent, Message.received_at).where(Message.id == after, Message.mailbox_id == mailbox_id)
        found = db.session.execute(place).one_or_none()
        if found is None:
            return []
        query = query.where(_behind(after, *found))
    return list(db.session.scalars(query.order_by(*IN_PLAY_ORDER).limit(limit)))


def marker(mailbox_id: str) -> str:
    """Where arrived() begins: a text."""
    return str(db.session.scalar(select(Mailbox.mwi_version).where(Mailbox.id == mailbox_id)) or 0)


def arrived(mailbox_id: str, since: str) -> tuple[list[str], str]:
    """Ids of new messages that came after a marker, in the order of their play, and the marker for the next time."""
    now = marker(mailbox_id)
    if now == since or not since.isdecimal():
        return [], now
    query = select(Message.id).where(*_present(mailbox_id), Message.state == NEW, Message.arrival > int(since))
    # What came after `now` was read is told again by it: it is left for the next time.
    query = query.where(Message.arrival <= int(now))
    return list(db.session.scalars(query.order_by(*IN_PLAY_ORDER).limit(PAGE))), now


def save(mailbox_id: str, message_id: str) -> bool:
    """Let a message count as read; False where it is gone or deleted."""
    try:
        with writing():
            message = messages.get(message_id, mailbox_id=mailbox_id, locked=True)
            if message.deleted_at is not None or message.state == DISCARDED:
                return False
            if message.state != SAVED:
                message.state = SAVED
                changed(events.MESSAGE_READ, mailbox_id, message_id)
                audit.record(ACTOR, "message.saved", message_id)
    except NotFound:
        return False
    return True


def delete(mailbox_id: str, message_id: str) -> bool:
    """Throw a message away; True also where it lies in the trash already, False where it is gone."""
    try:
        messages.trash(message_id, actor=ACTOR, mailbox_id=mailbox_id)
    except NotFound:
        return False
    return True


def undelete(mailbox_id: str, message_id: str) -> bool:
    """Take a message out of the trash, in the state it had; True also where it was not there, False: it is gone."""
    try:
        messages.restore(message_id, actor=ACTOR, mailbox_id=mailbox_id)
    except NotFound:
        return False
    return True


def delete_saved(mailbox_id: str) -> list[str]:
    """Throw all saved messages away in one commit; the ids of those, in the order of their play."""
    saved = select(Message.id).where(*_present(mailbox_id), Message.state == SAVED)
    with writing():
        wanted = list(db.session.scalars(saved.order_by(*IN_PLAY_ORDER)))
        now = db.session.scalar(select(database_now()))
        deleted: set[str] = set()
        # In the order of their ids: two that do this at once wait for each other's rows, but not both.
        for part in _batches(sorted(wanted)):
            still = saved.where(Message.id.in_(part)).order_by(Message.id).with_for_update()
            found = list(db.session.scalars(still))
            change = update(Message).where(Message.id.in_(found)).values(deleted_at=now)
            db.session.execute(change.execution_options(synchronize_session=False))
            deleted.update(found)
        if deleted:
            touch(mailbox_id)
            events.record_all(events.MESSAGE_DELETED, mailbox_id, sorted(deleted))
            audit.record(ACTOR, "message.delete_saved", mailbox_id, f"{len(deleted)} messages")
    return [message_id for message_id in wanted if message_id in deleted]


def to_forward(mailbox_id: str, message_id: str, number: str) -> Forwarding | Refusal:
    """A message that may be sent on to the mailbox of an extension or alias, or why not."""
    try:
        message = messages.get(message_id, mailbox_id=mailbox_id)
    except NotFound:
        return Refusal.GONE
    target = mailboxes.find([number])
    if target is None:
        return Refusal.UNKNOWN
    if target.announcement_only:
        return Refusal.REFUSED
    if quota.of(target).full:
        return Refusal.FULL
    by = message.mailbox.extension
    return Forwarding(message, target.id, target.extension, by, _copy_id(message.id, target.id, by))


def forwarded_just_now(forwarding: Forwarding) -> bool:
    """Whether the owner sent this very message to this very mailbox a moment ago, as far as it is committed.

    It is asked after copy_id was chosen: who gets another id because a commit came in between is told of that commit.
    """
    now: datetime = db.session.execute(select(database_now())).scalar_one()
    query = select(Message.id).where(
        Message.mailbox_id == forwarding.mailbox_id,
        Message.forwarded_from == forwarding.message.id,
        Message.forwarded_by == forwarding.by,
        Message.created_at > now - timedelta(seconds=JUST_NOW_SECONDS),
    )
    return db.session.scalar(query.limit(1)) is not None


def _copy_id(message_id: str, mailbox_id: str, by: str) -> str:
    """The first id of this wish that no message has; a purged one keeps its own."""
    ids = (str(uuid.uuid5(COPIES, f"{message_id} {mailbox_id} {by} {number}")) for number in count(1))
    return next(each for each in ids if db.session.scalar(select(Message.id).where(Message.id == each)) is None)


def _present(mailbox_id: str) -> list[ColumnElement[bool]]:
    return [Message.mailbox_id == mailbox_id, Message.deleted_at.is_(None), Message.purged_at.is_(None)]


def _behind(message_id: str, urgent: bool, received_at: Any) -> ColumnElement[bool]:
    """Played after this message."""
    later = or_(Message.received_at > received_at, and_(Message.received_at == received_at, Message.id > message_id))
    if urgent:
        return or_(~Message.urgent, later)
    return and_(~Message.urgent, later)


def _batches(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
