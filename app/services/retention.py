"""How long messages stay: the days of their mailbox, else those of the settings, by the database's clock.

New and saved messages that are too old go to the trash, from which they can be taken back; what has been in the trash
for its days is purged (app/services/purge.py). How old a message is counts from when it came (Message.created_at: the
host that recorded it may have a wrong clock), or from when somebody last marked it or took it back, as far as events
are kept: what was saved or taken back a moment ago is not thrown away by the next sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from app.database import writing
from app.extensions import db
from app.models import Event, Mailbox, Message
from app.models.base import database_days_ago, database_now
from app.models.message import DISCARDED, NEW, SAVED
from app.services import audit, events
from app.services.context import settings
from app.services.inbox import touch

log = logging.getLogger(__name__)
ACTOR = "retention"
BATCH = 200
COUNTS_ANEW = (events.MESSAGE_CREATED, events.MESSAGE_READ, events.MESSAGE_UNREAD, events.MESSAGE_RESTORED)


@dataclass(frozen=True)
class Days:
    """Days that messages of a mailbox stay. new, saved: until they go to the trash, 0 is for ever; trash: in it."""

    new: int
    saved: int
    trash: int

    @classmethod
    def of(cls, box: Mailbox) -> Days:
        """The days of a mailbox, as they are in force."""
        rules = settings().retention
        return cls(
            rules.new_days if box.new_days is None else box.new_days,
            rules.saved_days if box.saved_days is None else box.saved_days,
            rules.trash_days if box.trash_days is None else box.trash_days,
        )


def to_trash() -> int:
    """Throw away new and saved messages that are too old, at most BATCH of them; how many.

    Safe with several at once. Each mailbox is a transaction of its own.
    """
    fewest = _fewest_days()
    if fewest is None:
        return 0
    found: dict[str, list[str]] = {}
    for mailbox_id, message_id in db.session.execute(search(fewest)):
        found.setdefault(mailbox_id, []).append(message_id)
    db.session.rollback()
    moved = sum(_throw_away(mailbox_id, ids) for mailbox_id, ids in found.items())
    if moved:
        log.info("%d messages were too old and are in the trash", moved)
    return moved


def search(fewest: int) -> Select[str, str]:
    """Mailboxes and messages that are to be thrown away; fewest: the days that messages stay at least anywhere."""
    # Most are younger than any limit, and need no look at their mailbox. In the order of an index: few mailboxes each.
    query = select(Message.mailbox_id, Message.id).where(Message.created_at < database_days_ago(fewest), _too_old())
    return query.order_by(Message.mailbox_id, Message.received_at).limit(BATCH)


def ended() -> ColumnElement[bool]:
    """Messages that are to be purged: long enough in the trash, without speech, or of a deleted mailbox."""
    rules = settings().retention
    of_deleted = exists().where(
        Mailbox.id == Message.mailbox_id, Mailbox.deleted_at < database_days_ago(rules.trash_days)
    )
    return or_(
        and_(
            Message.deleted_at.is_not(None),
            Message.deleted_at < database_days_ago(_days(Mailbox.trash_days, rules.trash_days)),
        ),
        and_(Message.state == DISCARDED, Message.created_at < database_days_ago(rules.discarded_days)),
        of_deleted,
    )


def _fewest_days() -> int | None:
    """The shortest time that new or saved messages stay anywhere; None where all stay for ever."""
    rules = settings().retention
    limits = [days for days in (rules.new_days, rules.saved_days) if days]
    for column in (Mailbox.new_days, Mailbox.saved_days):
        own = db.session.scalar(select(func.min(column)).where(column > 0))
        limits += [own] if own else []
    db.session.rollback()
    return min(limits, default=None)


def _too_old() -> ColumnElement[bool]:
    rules = settings().retention
    return and_(
        Message.deleted_at.is_(None),
        Message.purged_at.is_(None),
        or_(_older(NEW, Mailbox.new_days, rules.new_days), _older(SAVED, Mailbox.saved_days, rules.saved_days)),
        exists().where(Mailbox.id == Message.mailbox_id, Mailbox.live_extension.is_not(None)),
    )


def _older(state: str, column: InstrumentedAttribute[int | None], general: int) -> ColumnElement[bool]:
    """In this state for longer than the days of the mailbox, or of the settings."""
    limit = database_days_ago(_days(column, general))
    # Not as EXISTS: of that a planner without statistics makes a walk through all events of these days a message.
    last = func.max(case((Event.event.in_(COUNTS_ANEW), Event.created_at)))
    touched = select(last).where(Event.message_id == Message.id).correlate(Message).scalar_subquery()
    anew = func.coalesce(touched, Message.created_at)
    return and_(Message.state == state, _days(column, general) > 0, Message.created_at < limit, anew < limit)


def _days(column: InstrumentedAttribute[int | None], general: int) -> ColumnElement[int]:
    """The days of a message's mailbox. No join: who locks messages must not lock mailboxes along with them."""
    own = select(column).where(Mailbox.id == Message.mailbox_id).correlate(Message).scalar_subquery()
    return func.coalesce(own, general)


def _throw_away(mailbox_id: str, ids: Sequence[str]) -> int:
    """Put those of these messages into the trash that are still too old; how many."""
    with writing():
        # In the order of their ids: two that do this at once wait for each other's rows, but not both.
        still = select(Message.id, Message.state).where(Message.id.in_(ids), _too_old()).order_by(Message.id)
        states = {row.id: row.state for row in db.session.execute(still.with_for_update())}
        if not states:
            return 0
        now = db.session.scalar(select(database_now()))
        change = update(Message).where(Message.id.in_(states)).values(deleted_at=now)
        db.session.execute(change.execution_options(synchronize_session=False))
        touch(mailbox_id)
        events.record_all(events.MESSAGE_DELETED, mailbox_id, list(states))
        box = db.session.get_one(Mailbox, mailbox_id)
        days = Days.of(box)
        for message_id, state in states.items():
            longest = days.new if state == NEW else days.saved
            audit.record(ACTOR, "message.delete", message_id, f"{box.extension}: {state} for more than {longest} days")
    return len(states)
