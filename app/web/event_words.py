"""What happened in a mailbox, in words."""

from __future__ import annotations

import json
from typing import Any

from app.models import Event
from app.models.greeting import BUSY, NAME, TEMPORARY, UNAVAILABLE
from app.services import events

WORDS = {
    events.MESSAGE_CREATED: "a message came",
    events.MESSAGE_READ: "a message was heard",
    events.MESSAGE_UNREAD: "a message was marked as new",
    events.MESSAGE_DELETED: "a message was deleted",
    events.MESSAGE_RESTORED: "a deleted message was taken back",
    events.MESSAGE_PURGED: "a message went for good",
    events.MESSAGE_FORWARDED: "a message was forwarded",
    events.PIN_CHANGED: "the PIN was changed",
    events.MAILBOX_LOCKED: "telephone access was locked after wrong PINs",
    events.MAILBOX_UNLOCKED: "telephone access was unlocked",
    events.MAILBOX_NEARLY_FULL: "the mailbox is nearly full",
    events.MAILBOX_FULL: "the mailbox is full",
}
GREETING_WORDS = {
    UNAVAILABLE: "the greeting",
    BUSY: "the greeting when busy",
    TEMPORARY: "the temporary greeting",
    NAME: "the recorded name",
}


def event_words(event: Event) -> str:
    """An event as a sentence without its time."""
    if event.event == events.GREETING_CHANGED:
        data = _data(event)
        what = GREETING_WORDS.get(str(data.get("kind")), "a greeting")
        return f"{what} was {'removed' if data.get('removed') else 'changed'}"
    return WORDS.get(event.event, event.event)


def _data(event: Event) -> dict[str, Any]:
    found = json.loads(event.data)
    return found if isinstance(found, dict) else {}
