"""Receivers that do not answer in time: they are called less and less often, and never by two workers at once.

A lane is a host and port. After an attempt that ran out of time it rests, twice as long each time; deliveries wait for
its end without taking a worker. Then one worker tries; who answers, with whatever status, has no lane any more.
Each function but give_up() is part of a transaction that is open.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import ColumnElement, CursorResult, ScalarSelect, Table, and_, bindparam, delete, exists, select, update
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.extensions import db
from app.models import Attempt, Delivery, Lane, Webhook
from app.models.base import database_now
from app.models.delivery import FAILED, PENDING
from app.services.context import settings

LONGEST_REST_SECONDS = 300.0
# What a worker may need beside the answer; it may also have died.
SLACK_SECONDS = 5.0
# Deliveries that are given up in one transaction.
TOGETHER = 200
# Their columns, not those of the classes: statements that each delivery needs are put together once, and cheap.
_delivery, _webhook, _lane = (cast("Table", each.__table__) for each in (Delivery, Webhook, Lane))
_ON_LANE = (
    _delivery.c.kind == "webhook",
    _webhook.c.scope == _delivery.c.target,
    _lane.c.name == _webhook.c.lane,
)
_ANSWERED = delete(_lane).where(_lane.c.name == bindparam("lane"))
GAVE_UP = "given up: the receiver has not answered in time for long"


def resting(now: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether the receiver of a delivery rests."""
    return exists().where(*_ON_LANE, _lane.c.rest_until > now)


def lane_of_delivery() -> ScalarSelect[str]:
    """The lane that a delivery goes by, as a column beside those of its row; NULL where its receiver answers."""
    return select(_lane.c.name).where(*_ON_LANE).correlate(_delivery).scalar_subquery()


def take(name: str, now: datetime) -> bool:
    """Before a call on a lane that does not answer: whether nobody else is on it."""
    until = now + timedelta(seconds=settings().webhook.timeout_seconds + SLACK_SECONDS)
    return _write(name, now, rest_until=until)


def timed_out(name: str) -> None:
    """The receiver did not answer in time: it rests."""
    now, timeouts = _now(), db.session.scalar(select(Lane.timeouts).where(Lane.name == name)) or 0
    rest_until = now + timedelta(seconds=_rest(timeouts))
    if _write(name, None, timeouts=timeouts + 1, rest_until=rest_until):
        return
    try:
        with db.session.begin_nested():
            db.session.add(Lane(name=name, timeouts=1, rest_until=rest_until))
    except IntegrityError:
        # Another worker was on it too.
        _write(name, None, rest_until=rest_until)


def answered(name: str) -> None:
    """The receiver answered, or said quickly that it does not."""
    db.session.execute(_ANSWERED, {"lane": name})


def give_up() -> int:
    """Deliveries fail for good that are older than two lives of retries and whose receiver rests; how many."""
    now = _now()
    overdue = and_(
        Delivery.state == PENDING,
        Delivery.created_at < now - 2 * timedelta(seconds=settings().delivery.give_up_seconds),
        resting(now),
    )
    found = db.session.execute(select(Delivery.id, Delivery.attempts).where(overdue)).all()
    db.session.rollback()
    given_up = 0
    for start in range(0, len(found), TOGETHER):
        with writing():
            given_up += sum(_give_up(row.id, row.attempts, now) for row in found[start : start + TOGETHER])
    return given_up


def _give_up(delivery_id: str, attempts: int, now: datetime) -> bool:
    """End a delivery that still waits, and say so in its history, in the transaction that is open; whether it did."""
    still = update(Delivery).where(Delivery.id == delivery_id, Delivery.state == PENDING, Delivery.attempts == attempts)
    ended = db.session.execute(
        still.values(state=FAILED, last_error=GAVE_UP, done_at=now).execution_options(synchronize_session=False)
    )
    assert isinstance(ended, CursorResult)  # noqa: S101 - tells the type checker
    if not ended.rowcount:
        return False
    # No attempt was made: nobody started one, and the number is that of the last.
    db.session.add(Attempt(delivery_id=delivery_id, attempt=attempts, ended_at=now, state=FAILED, error=GAVE_UP))
    return True


def _rest(timeouts: int) -> float:
    rules = settings().delivery
    longest = min(rules.retry_longest_seconds, LONGEST_REST_SECONDS)
    return min(rules.retry_first_seconds * 2.0 ** min(timeouts, 60), longest)


def _write(name: str, rested: datetime | None, **values: object) -> bool:
    """Change a lane, only if its rest is over where `rested` is given; whether there was one to change."""
    statement = update(Lane).where(Lane.name == name)
    if rested is not None:
        statement = statement.where(Lane.rest_until <= rested)
    result = db.session.execute(statement.values(**values).execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)  # noqa: S101 - tells the type checker
    return result.rowcount > 0


def _now() -> datetime:
    now: datetime = db.session.execute(select(database_now())).scalar_one()
    return now
