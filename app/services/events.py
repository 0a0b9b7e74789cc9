"""What happened in mailboxes: a row in the commit that changes them, for deliveries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from app.database import afterwards
from app.extensions import db
from app.jobs import queue
from app.models import Delivery, Event, Message
from app.models.base import database_now, new_id
from app.models.delivery import PENDING
from app.services import outbox_rows
from app.services.context import settings

MESSAGE_CREATED, MESSAGE_READ, MESSAGE_UNREAD = "message.created", "message.read", "message.unread"
MESSAGE_DELETED, MESSAGE_RESTORED, MESSAGE_PURGED = "message.deleted", "message.restored", "message.purged"
MESSAGE_FORWARDED = "message.forwarded"
PIN_CHANGED, GREETING_CHANGED = "pin.changed", "greeting.changed"
MAILBOX_LOCKED, MAILBOX_UNLOCKED = "mailbox.locked", "mailbox.unlocked"
MAILBOX_NEARLY_FULL, MAILBOX_FULL = "mailbox.nearly_full", "mailbox.full"
AT_ONCE = 100


def record(event: str, mailbox_id: str, message_id: str | None = None, **data: Any) -> Event:
    """Add an event, and the deliveries that it owes, to the transaction that is open.

    data: what JSON can carry, no secret, nothing of the caller. What a new message owes is added by new_message().
    """
    row = Event(
        id=new_id(),
        event=event,
        mailbox_id=mailbox_id,
        message_id=message_id,
        data=json.dumps(data),
        # Not this host's clock: several hosts write events.
        created_at=database_now(),
    )
    db.session.add(row)
    _owe(outbox_rows.for_event(row, settings()))
    return row


def new_message(message: Message) -> None:
    """A message came into its mailbox: the event and all that it owes, in the transaction that is open."""
    row = record(MESSAGE_CREATED, message.mailbox_id, message.id, urgent=message.urgent)
    _owe(outbox_rows.for_message(message, row.id, settings()))


def record_all(event: str, mailbox_id: str, message_ids: Sequence[str]) -> None:
    """As record(), for many messages of one mailbox."""
    now = db.session.scalar(select(database_now()))
    rows = [
        Event(id=new_id(), event=event, mailbox_id=mailbox_id, message_id=message_id, created_at=now)
        for message_id in message_ids
    ]
    db.session.add_all(rows)
    scopes = outbox_rows.webhook_scopes(mailbox_id, settings())
    _owe([delivery for row in rows for delivery in outbox_rows.for_event(row, settings(), scopes)])


def _owe(rows: list[Delivery]) -> None:
    """Deliveries of the open transaction; the first of each event start at once after the commit."""
    db.session.add_all(rows)
    firsts: dict[str, int] = {}
    for row in rows:
        firsts[row.event_id] = min(row.position, firsts.get(row.event_id, row.position))
    # Read now: after the commit each row would be read again. The relay finds those that are too many.
    due = [queue.Due.of(row) for row in rows if row.state == PENDING and row.position == firsts[row.event_id]][:AT_ONCE]
    if due:
        afterwards(lambda: queue.enqueue_deliveries(due))


def recent(mailbox_id: str, limit: int = 8) -> list[Event]:
    """What happened last in a mailbox, the newest first."""
    query = select(Event).where(Event.mailbox_id == mailbox_id).order_by(Event.number.desc())
    return list(db.session.scalars(query.limit(limit)))
