"""What lamps and open lists go by: a mailbox's messages have a version that grows with each change."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from app.extensions import db
from app.jobs import queue
from app.models import Mailbox
from app.services import events
from app.services.subscriptions import CHANNEL


def touch(mailbox_id: str) -> None:
    """The mailbox's messages changed, in the transaction that is open: lists look different, lamps may have to switch.

    It locks the mailbox's row.
    """
    db.session.execute(
        update(Mailbox)
        .where(Mailbox.id == mailbox_id)
        .values(mwi_dirty=True, mwi_version=Mailbox.mwi_version + 1, updated_at=Mailbox.updated_at)
        .execution_options(synchronize_session=False)
    )


def changed(event: str, mailbox_id: str, message_id: str | None = None, **data: Any) -> None:
    """As touch(), with the event that tells of it (app/services/events.py)."""
    touch(mailbox_id)
    events.record(event, mailbox_id, message_id, **data)


def tell_lamps(mailbox_id: str) -> None:
    """After the commit: have the counts sent to the phones that subscribed to them.

    Where Redis is away, the voice workers count anew once they reach it.
    """
    queue.publish(CHANNEL, mailbox_id)
