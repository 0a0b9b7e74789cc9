"""What the outbox asks the database for each delivery: when one may start, and the statements around an attempt.

They are put together once, of columns of the tables: to make them anew of the classes took a third of the time of a
delivery. `now` is the database's clock.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Table,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from app.models import Attempt, Delivery
from app.models.base import UTCDateTime, database_now, database_seconds_ago
from app.models.delivery import PENDING, RUNNING
from app.services import lanes

# The next delivery starts at the latest this long after the one before it did.
HEAD_START_SECONDS = 2.0
# One that could have been started for so long waits for a worker: all are busy with a server that hangs, or the host is
# down. Nobody waits for it any longer.
OVERDUE_SECONDS = 10.0

Time = datetime | ColumnElement[datetime]
_row = cast("Table", Delivery.__table__)
_earlier = _row.alias("earlier")


def time_of(name: str) -> BindParameter[datetime]:
    """A time that is given when the statement runs."""
    return bindparam(name, type_=UTCDateTime())


def free(now: Time) -> ColumnElement[bool]:
    """Nobody works on it: it is due, or the lease of whoever did has lapsed."""
    return or_(
        and_(_row.c.state == PENDING, _row.c.next_try_at <= now),
        and_(_row.c.state == RUNNING, _row.c.lease_until < now),
    )


def may_start(now: Time, head_start: Time, overdue: Time) -> ColumnElement[bool]:
    """Free, and in turn. head_start, overdue: so many seconds (HEAD_START_SECONDS, OVERDUE_SECONDS) before now."""
    return and_(free(now), _in_turn(now, head_start, overdue))


def _in_turn(now: Time, head_start: Time, overdue: Time) -> ColumnElement[bool]:
    """No receiver that rests; each earlier one of the event has ended an attempt, had its head start, or is overdue."""
    # Out of reach of the index of states: an event has a handful of rows, after an outage thousands are pending, and
    # a planner without statistics would look through those for each row.
    state = func.coalesce(_earlier.c.state, "")
    holds_back = or_(
        and_(state == PENDING, _earlier.c.attempts == 0, _earlier.c.next_try_at > overdue),
        and_(state == RUNNING, _earlier.c.attempts <= 1, _earlier.c.started_at > head_start),
    )
    before = exists().where(_earlier.c.event_id == _row.c.event_id, _earlier.c.position < _row.c.position, holds_back)
    return and_(~before, ~lanes.resting(now))


def _times() -> tuple[ColumnElement[datetime], ColumnElement[datetime], ColumnElement[datetime]]:
    """What may_start() goes by, of the database itself."""
    now, head_start, overdue = (
        database_seconds_ago(literal_column(f"{seconds}")) for seconds in (0.0, HEAD_START_SECONDS, OVERDUE_SECONDS)
    )
    return now, head_start, overdue


# The delivery a_id, if it may start, with the time and the lane that it goes by.
CLAIMABLE = select(_row, database_now().label("now"), lanes.lane_of_delivery().label("lane")).where(
    _row.c.id == bindparam("a_id"), may_start(*_times())
)

TAKE = (
    update(_row)
    .where(_row.c.id == bindparam("a_id"), _row.c.fencing == bindparam("a_fencing") - 1, free(time_of("a_now")))
    .values(
        state=RUNNING,
        fencing=bindparam("a_fencing"),
        attempts=bindparam("a_attempt"),
        started_at=time_of("a_now"),
        lease_until=time_of("a_lease_until"),
        queued_until=None,
    )
)

_mine = and_(_row.c.id == bindparam("a_id"), _row.c.fencing == bindparam("a_fencing"), _row.c.state == RUNNING)

RENEW = update(_row).where(_mine).values(lease_until=time_of("a_lease_until"))

# a_next_try_at: None leaves it as it is.
END = (
    update(_row)
    .where(_mine)
    .values(
        state=bindparam("a_state"),
        last_error=bindparam("a_error"),
        lease_until=None,
        done_at=time_of("a_done_at"),
        next_try_at=func.coalesce(time_of("a_next_try_at"), _row.c.next_try_at),
    )
)

NOTE = insert(cast("Table", Attempt.__table__))

# What comes after a_position in the event a_event_id and may start: the others are in their queues, or the relay brings
# them. Here too the state is out of reach of its index.
FOLLOWING = select(
    _row.c.id, _row.c.kind, _row.c.target, _row.c.fencing, _row.c.message_id, _row.c.recording_sid
).where(
    _row.c.event_id == bindparam("a_event_id"),
    _row.c.position > bindparam("a_position"),
    func.coalesce(_row.c.state, "") == PENDING,
    _row.c.next_try_at <= time_of("a_now"),
    _in_turn(time_of("a_now"), time_of("a_head_start"), time_of("a_overdue")),
)
