"""What a mail tells: facts read from the tables, so that no transaction is open while it is written and sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.config import LANGUAGES, Settings
from app.mail import words
from app.models import Event, Mailbox, Message
from app.models.base import utc_now
from app.models.greeting import UNAVAILABLE
from app.services import events

MESSAGE = "message"
# The names of templates, by the event that they tell of.
KIND_OF = {
    events.MESSAGE_CREATED: MESSAGE,
    events.MAILBOX_NEARLY_FULL: "nearly_full",
    events.MAILBOX_FULL: "full",
    events.MAILBOX_LOCKED: "locked",
    events.PIN_CHANGED: "pin_changed",
    events.GREETING_CHANGED: "greeting_changed",
}
KINDS = tuple(KIND_OF.values())


@dataclass(frozen=True)
class Facts:
    """A mail before it is written. kind: the name of its templates; variables: what they may say."""

    kind: str
    language: str
    timezone: str
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def urgent(self) -> bool:
        return bool(self.variables.get("urgent"))


def of_message(message: Message, settings: Settings) -> Facts:
    """What the mail about a message tells."""
    link = f"{settings.public_url}/console/voicemail/messages/{message.id}"
    return _message(message.mailbox, message, settings, link)


def of_event(event: Event, box: Mailbox, settings: Settings) -> Facts:
    """What the mail about another event tells; `event.event` is one of KIND_OF."""
    data = json.loads(event.data)
    return _notice(KIND_OF[event.event], box, event.created_at, data if isinstance(data, dict) else {}, settings)


def example(kind: str, box: Mailbox, settings: Settings) -> Facts:
    """The mail of a kind as it would be for a mailbox, about something that did not happen."""
    if kind == MESSAGE:
        message = Message(
            caller_name="Carla Example",
            caller_number="+12025550143",
            received_at=utc_now(),
            duration=42.0,
            urgent=False,
        )
        return _message(box, message, settings, _mailbox_link(box, settings))
    data = {
        "messages": 9,
        "seconds": 540,
        "limits": {"messages": 10, "seconds": 600},
        "until": (utc_now() + timedelta(minutes=15)).isoformat(),
        "kind": UNAVAILABLE,
    }
    return _notice(kind, box, utc_now(), data, settings)


def _message(box: Mailbox, message: Message, settings: Settings, link: str) -> Facts:
    language = _language(box)
    variables = {
        "caller": {
            "name": message.caller_name,
            "number": message.caller_number,
            "text": words.caller(message.caller_name, message.caller_number, language),
        },
        "received": words.moment(message.received_at, box.timezone, language),
        "received_at": message.received_at.astimezone(ZoneInfo(box.timezone)),
        "length": words.length(message.duration, language),
        "seconds": message.duration,
        "urgent": message.urgent,
    }
    return _facts(MESSAGE, box, link, variables)


def _notice(kind: str, box: Mailbox, when: datetime, data: dict[str, Any], settings: Settings) -> Facts:
    language = _language(box)
    limits = data.get("limits") or {}
    until = data.get("until")
    variables = {
        "happened": words.moment(when, box.timezone, language),
        "messages": data.get("messages", 0),
        "max_messages": limits.get("messages", 0),
        "length": words.length(data.get("seconds", 0), language),
        "max_length": words.length(limits["seconds"], language) if limits.get("seconds") else "",
        "until": words.moment(datetime.fromisoformat(until), box.timezone, language) if until else "",
        "greeting": words.greeting(str(data.get("kind")), language),
        "removed": bool(data.get("removed")),
    }
    return _facts(kind, box, _mailbox_link(box, settings), variables)


def _facts(kind: str, box: Mailbox, link: str, variables: dict[str, Any]) -> Facts:
    language = _language(box)
    common = {
        "language": language,
        "mailbox": {"extension": box.extension, "name": box.name},
        "link": link,
        "open_words": words.OPEN_WORDS[language],
    }
    return Facts(kind, language, box.timezone, common | variables)


def _mailbox_link(box: Mailbox, settings: Settings) -> str:
    return f"{settings.public_url}/console/voicemail/{box.extension}"


def _language(box: Mailbox) -> str:
    return box.language if box.language in LANGUAGES else LANGUAGES[0]
