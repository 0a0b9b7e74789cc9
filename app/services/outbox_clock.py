"""Waits of a clock that was ahead: the database's was set back, and what it wrote before would rest until then.

SQLite's clock is its host's, which may be hours ahead from the start of the machine until a time server sets it. The
relay looks for such times now and then (app/jobs/relay.py). Waits that are as long as they should be stay as they are.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, exists, or_, select, update

from app.database import writing
from app.extensions import db
from app.models import Delivery, Lane
from app.models.base import database_now
from app.models.delivery import PENDING, RUNNING
from app.services import outbox
from app.services.context import settings
from app.services.lanes import LONGEST_REST_SECONDS

# Whatever rests for less because of a clock is not worth an early attempt: time servers correct by seconds, often.
SLACK = timedelta(seconds=60)


def end_wrong_waits() -> int:
    """What rests until a time that a wrong clock has made goes on; how many deliveries and receivers that are."""
    now: datetime = db.session.execute(select(database_now())).scalar_one()
    lease = timedelta(seconds=settings().delivery.lease_seconds)
    # A worker that lives may hold it and renews its lease; one that died loses it in the time of a lease, as always.
    held = _change(Delivery, wrongly_held(now, lease), lease_until=now + lease)
    waiting = _change(Delivery, wrongly_waiting(now), next_try_at=now)
    return held + waiting + _change(Lane, _wrongly_resting(now), rest_until=now)


def wrongly_held(now: datetime, lease: timedelta) -> ColumnElement[bool]:
    """Its lease ends later than any that is given now."""
    return and_(Delivery.state == RUNNING, Delivery.lease_until > now + 2 * lease)


def wrongly_waiting(now: datetime) -> ColumnElement[bool]:
    """It waits for longer than anything does; or was never tried, so for nothing; or was last tried in time to come."""
    longest = timedelta(seconds=outbox.longest_wait(settings().delivery))
    wrong = or_(Delivery.next_try_at > now + longest + SLACK, Delivery.attempts == 0, Delivery.started_at > now + SLACK)
    return and_(Delivery.state == PENDING, Delivery.next_try_at > now + SLACK, wrong)


def _wrongly_resting(now: datetime) -> ColumnElement[bool]:
    return Lane.rest_until > now + timedelta(seconds=LONGEST_REST_SECONDS) + SLACK


def _change(model: type[Delivery | Lane], wrong: ColumnElement[bool], **values: datetime) -> int:
    """Write these into the rows that are wrong; how many. Nothing is locked where there are none, as nearly always."""
    if not db.session.scalar(select(exists().where(wrong))):
        return 0
    with writing():
        right = update(model).where(wrong).values(**values).execution_options(synchronize_session=False)
        return cast("CursorResult[Any]", db.session.execute(right)).rowcount
