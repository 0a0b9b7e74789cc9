"""What a webhook tells of an event."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.extensions import db
from app.models import Event, Mailbox, Message
from app.models.base import new_id, utc_now
from app.services import audio_links, events
from app.services.message_facts import facts_of
from app.services.outbox import Claim


class Nothing(Exception):
    """There is nothing to tell any more; str() says why."""


def event_of(claim: Claim) -> dict[str, Any]:
    """The JSON of a delivery; Nothing where its message or mailbox is gone.

    The link to the recording is made anew at each attempt, so that a late one is as good as the first.
    """
    query = select(Message, Event.created_at).outerjoin(Event, Event.id == claim.event_id)
    query = query.options(joinedload(Message.mailbox)).where(Message.id == claim.message_id)
    found = db.session.execute(query).first()
    if found is None:
        raise Nothing("the message is gone")
    message: Message = found[0]
    created_at: datetime | None = found[1]
    deleted = claim.event == events.MESSAGE_DELETED
    if message.purged_at is not None and not deleted:
        raise Nothing("the message was purged")
    box = message.mailbox
    if box.live_extension is None:
        raise Nothing("the mailbox was deleted")
    audio_url, expires_at = (None, None) if deleted else audio_links.link_of(message.id, utc_now())
    told = {
        **facts_of(message, box.extension),
        "audio_url": audio_url,
        "audio_expires_at": expires_at.isoformat() if expires_at else None,
    }
    return _event(claim.event_id, claim.event, created_at or message.received_at, box, told)


def test_event(box: Mailbox | None) -> dict[str, Any]:
    """What "Send test" posts: no message, and no mailbox where it is the webhook of all."""
    return _event(new_id(), "test", utc_now(), box, None)


def _event(
    event_id: str, name: str, created_at: datetime, box: Mailbox | None, message: dict[str, Any] | None
) -> dict[str, Any]:
    mailbox = {"id": box.id, "extension": box.extension, "name": box.name} if box else None
    return {
        "id": event_id,
        "event": name,
        "created_at": created_at.isoformat(),
        "mailbox": mailbox,
        "message": message,
    }
