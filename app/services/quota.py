"""How full a mailbox is: its messages and their seconds, against its own limits or those of the settings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select

from app.config import LimitSettings
from app.extensions import db
from app.models import Mailbox, Message
from app.models.message import NEW, SAVED
from app.services import events
from app.services.context import settings

SHORTEST_SECONDS = 3
"""Less than that is no room for a message: its caller would be cut off at the first word."""


@dataclass(frozen=True)
class Quota:
    """What is in a mailbox and what may be. messages, seconds: without the trash; a limit of 0 is none.

    shortest: seconds that a message needs to be one.
    """

    messages: int
    seconds: float
    max_messages: int
    max_seconds: int
    warn_percent: int = 100
    shortest: float = SHORTEST_SECONDS

    @property
    def full(self) -> bool:
        """Whether the mailbox takes no more messages."""
        left = self.seconds_left
        return self._reached(100) or (left is not None and left < min(self.shortest, self.max_seconds))

    @property
    def nearly_full(self) -> bool:
        """Whether its owner is to be warned; also where it is full."""
        return self.full or self._reached(self.warn_percent)

    @property
    def seconds_left(self) -> float | None:
        """How long the next message may be, None where there is no limit of seconds."""
        return max(0.0, self.max_seconds - self.seconds) if self.max_seconds else None

    def _reached(self, percent: int) -> bool:
        return any(
            limit and used * 100 >= limit * percent
            for used, limit in ((self.messages, self.max_messages), (self.seconds, self.max_seconds))
        )


def of(box: Mailbox) -> Quota:
    """How full this mailbox is; asks nothing of the database where it has no limits."""
    limits = _limits(box.max_messages, box.max_seconds, settings().limits)
    return _used(box.id, *limits, _shortest(box.min_speech)) if any(limits) else Quota(0, 0.0, 0, 0)


def warn(mailbox_id: str, added_seconds: float) -> None:
    """Record that a mailbox became nearly full, or full, by a message of so many seconds, in the open transaction.

    The mailbox's row is locked (touch()), so each of the two is said once each time that it happens.
    """
    query = select(Mailbox.max_messages, Mailbox.max_seconds, Mailbox.min_speech)
    most, longest, min_speech = db.session.execute(query.where(Mailbox.id == mailbox_id)).one()
    limits = _limits(most, longest, settings().limits)
    if not any(limits):
        return
    now = _used(mailbox_id, *limits, _shortest(min_speech))
    before = replace(now, messages=now.messages - 1, seconds=now.seconds - added_seconds)
    facts: dict[str, Any] = {"messages": now.messages, "seconds": round(now.seconds)}
    facts["limits"] = {"messages": now.max_messages, "seconds": now.max_seconds}
    if now.full and not before.full:
        events.record(events.MAILBOX_FULL, mailbox_id, **facts)
    elif now.nearly_full and not before.nearly_full:
        events.record(events.MAILBOX_NEARLY_FULL, mailbox_id, **facts)


def _limits(max_messages: int | None, max_seconds: int | None, general: LimitSettings) -> tuple[int, int]:
    return (
        general.max_messages if max_messages is None else max_messages,
        general.max_seconds if max_seconds is None else max_seconds,
    )


def _shortest(min_speech: float | None) -> float:
    """Seconds that a message of a mailbox needs; min_speech: the mailbox's own. A shorter one would not be kept."""
    general = settings()
    return max(SHORTEST_SECONDS, general.min_duration, general.min_speech if min_speech is None else min_speech)


def _used(mailbox_id: str, max_messages: int, max_seconds: int, shortest: float) -> Quota:
    count, seconds = db.session.execute(
        select(func.count(), func.sum(Message.duration)).where(
            Message.mailbox_id == mailbox_id,
            Message.state.in_((NEW, SAVED)),
            Message.deleted_at.is_(None),
            Message.purged_at.is_(None),
        )
    ).one()
    return Quota(count, float(seconds or 0), max_messages, max_seconds, settings().limits.warn_percent, shortest)
