"""Receivers that do not answer in time: they are called less and less often, and never by two workers at once.

A lane is a host and port. After an attempt that ran out of time it rests, twice as long each time; deliveries wait for
its end without taking a worker. Then one worker tries; who answers, with whatever status, has no lane any more.
Each function but give_up() is part of a transaction that is open.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, CursorResult, and_, delete, exists, select, update
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.extensions import db
from app.models import Delivery, Lane, Webhook
from app.models.base import database_now
from app.models.delivery import FAILED, PENDING
from app.services.context import settings

LONGEST_REST_SECONDS = 300.0
# What a worker may need beside the answer; it may also have died.
SLACK_SECONDS = 5.0
GAVE_UP = "given up: the receiver has not answered in time for long"


def resting(now: datetime) -> ColumnElement[bool]:
    """Whether the receiver of a delivery rests."""
    return exists().where(
        Delivery.kind == "webhook",
        Webhook.scope == Delivery.target,
        Lane.name == Webhook.lane,
        Lane.rest_until > now,
    )


def take(scope: str, now: datetime) -> bool:
    """Before a call: whether nobody else is on a lane that does not answer."""
    query = select(Lane.name).join(Webhook, Webhook.lane == Lane.name).where(Webhook.scope == scope)
    name = db.session.scalar(query)
    if name is None:
        return True
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
    db.session.execute(delete(Lane).where(Lane.name == name))


def give_up() -> int:
    """Deliveries fail for good that are older than two lives of retries and whose receiver rests; how many."""
    now = _now()
    overdue = and_(
        Delivery.state == PENDING,
        Delivery.created_at < now - 2 * timedelta(seconds=settings().delivery.give_up_seconds),
        resting(now),
    )
    ids = list(db.session.scalars(select(Delivery.id).where(overdue)))
    db.session.rollback()
    if ids:
        with writing():
            lost = update(Delivery).where(Delivery.id.in_(ids), Delivery.state == PENDING)
            db.session.execute(lost.values(state=FAILED, last_error=GAVE_UP, done_at=now))
    return len(ids)


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
