"""Which greeting a caller hears."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from voice.mailbox import MailboxFacts
from voice.media.g711 import Law
from voice.owner import GreetingKind
from voice.prompts import Prompts

BUSY = "busy"
"""The reason of a diversion (voice/router.py) for which the busy greeting plays; for all others it is the other one."""


@dataclass(frozen=True)
class Greeting:
    """own: its words are the owner's, not those of the system."""

    payload: bytes
    own: bool


def greeting_of(mailbox: MailboxFacts, reason: str, prompts: Prompts, law: Law, now: datetime) -> Greeting:
    """The temporary one until its end; the one for the reason; the one for unanswered calls; the recorded name with a
    standard sentence; the default one. What is away or broken gives way to the next."""
    busy = reason == BUSY
    kinds = [GreetingKind.TEMPORARY] if _lasts(mailbox.temporary_ends_at, now) else []
    kinds += [GreetingKind.BUSY] if busy else []
    for kind in (*kinds, GreetingKind.UNAVAILABLE):
        if (own := _sound(mailbox, kind, prompts, law)) is not None:
            return Greeting(own, own=True)
    if (name := _sound(mailbox, GreetingKind.NAME, prompts, law)) is not None:
        sentence = "greeting_name_busy" if busy else "greeting_name"
        return Greeting(name + prompts.say([sentence], mailbox.language, law), own=False)
    sentence = "greeting_busy" if busy else "greeting_default"
    return Greeting(prompts.say([sentence], mailbox.language, law), own=False)


def _sound(mailbox: MailboxFacts, kind: GreetingKind, prompts: Prompts, law: Law) -> bytes | None:
    path = mailbox.greetings.get(kind)
    return prompts.sound(path, law) if path else None


def _lasts(ends_at: str | None, now: datetime) -> bool:
    """Whether a temporary greeting still plays; one whose end cannot be read does not."""
    if ends_at is None:
        return True
    try:
        end = datetime.fromisoformat(ends_at)
    except ValueError:
        return False
    return now < (end if end.tzinfo else end.replace(tzinfo=UTC))
