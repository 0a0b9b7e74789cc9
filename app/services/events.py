"""What happened in mailboxes: a row in the commit that changes them, for deliveries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select

from app.extensions import db
from app.models import Event
from app.models.base import database_now, new_id

MESSAGE_CREATED, MESSAGE_READ, MESSAGE_UNREAD = "message.created", "message.read", "message.unread"
MESSAGE_DELETED, MESSAGE_RESTORED, MESSAGE_PURGED = "message.deleted", "message.restored", "message.purged"
MESSAGE_FORWARDED = "message.forwarded"
PIN_CHANGED, GREETING_CHANGED = "pin.changed", "greeting.changed"
MAILBOX_LOCKED, MAILBOX_UNLOCKED = "mailbox.locked", "mailbox.unlocked"
MAILBOX_NEARLY_FULL, MAILBOX_FULL = "mailbox.nearly_full", "mailbox.full"


def record(event: str, mailbox_id: str, message_id: str | None = None, **data: Any) -> None:
    """Add an event to the transaction that is open. data: what JSON can carry, no secret, nothing of the caller."""
    db.session.add(
        Event(
            event=event,
            mailbox_id=mailbox_id,
            message_id=message_id,
            data=json.dumps(data),
            # Not this host's clock: several hosts write events.
            created_at=database_now(),
        )
    )


def record_all(event: str, mailbox_id: str, message_ids: Sequence[str]) -> None:
    """As record(), for many messages at once."""
    now = db.session.scalar(select(database_now()))
    rows = [
        {"id": new_id(), "event": event, "mailbox_id": mailbox_id, "message_id": message_id, "created_at": now}
        for message_id in message_ids
    ]
    db.session.execute(insert(Event), rows)


def recent(mailbox_id: str, limit: int = 8) -> list[Event]:
    """What happened last in a mailbox, the newest first."""
    query = select(Event).where(Event.mailbox_id == mailbox_id).order_by(Event.number.desc())
    return list(db.session.scalars(query.limit(limit)))
