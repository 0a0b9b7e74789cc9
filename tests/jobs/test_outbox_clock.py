"""A clock that was ahead and was set back, on every database: what it wrote does not rest until then, and nothing else
begins before its time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from flask import Flask
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import select, update

from app.config import DeliverySettings
from app.database import writing
from app.extensions import db
from app.jobs import queue, relay
from app.models import Delivery, Lane
from app.models.base import database_now
from app.services import lanes, outbox, outbox_clock
from app.services.outbox import DONE, PENDING, Claim, Outcome
from tests.jobs.owed import change, lapse, make_due, owe, row, settings_of, tune

AHEAD = timedelta(hours=8)
# A host in Berlin whose hardware clock keeps the time of the place.
HOUR = timedelta(hours=1)
# Of what a test does between two looks at the clock.
NEAR = timedelta(seconds=20)


def now() -> datetime:
    found: datetime = db.session.execute(select(database_now())).scalar_one()
    db.session.rollback()
    return found


def claim(delivery_id: str) -> Claim:
    db.session.rollback()
    mine = outbox.claim(delivery_id)
    assert mine is not None
    return mine


def fail(app: Flask, delivery_id: str, retry_after: float | None = None) -> None:
    """An attempt that is to be made again."""
    make_due(app, delivery_id)
    assert outbox.finish(claim(delivery_id), Outcome(PENDING, error="away", retry_after=retry_after))


def claimable(delivery_id: str) -> bool:
    """Whether it is due, without taking it."""
    db.session.rollback()
    return any(found.id == delivery_id for found in outbox.due())


def rest(until: datetime) -> None:
    """A receiver that rests."""
    with writing():
        db.session.add(Lane(name="receiver.example:443", timeouts=3, rest_until=until))


def lease_of(delivery_id: str) -> datetime:
    """Until when it is held."""
    found = db.session.scalar(select(Delivery.lease_until).where(Delivery.id == delivery_id))
    db.session.rollback()
    assert found
    return found


@pytest.fixture
def upload(any_app: Flask) -> str:
    """The id of a delivery that is due."""
    return row(any_app, owe(any_app)).id


@pytest.fixture
def running(any_app: Flask, valkey: str) -> Iterator[Callable[[], list[str]]]:
    """A round of a relay that began just now; the jobs that are in the queue of uploads then."""
    any_app.extensions["settings"] = replace(settings_of(any_app), redis_url=valkey)
    queue._outage.ended()

    def round_of_a_relay() -> list[str]:
        relay.Relay(any_app, threading.Event()).round()
        with Redis.from_url(valkey) as connection:
            new, again = (
                Queue(name, connection=connection, serializer=JSONSerializer).job_ids
                for name in queue.queues_of_host(settings_of(any_app))[0].queues
            )
        return [*new, *again]

    yield round_of_a_relay
    queue._outage.ended()


class TestTheRelay:
    """It starts what a wrong clock has left behind."""

    def test_starts_what_failed(self, any_app: Flask, upload: str, running: Callable[[], list[str]]) -> None:
        fail(any_app, upload)
        change(any_app, upload, next_try_at=now() + AHEAD)
        assert running() == [f"delivery-{upload}-1"]

    def test_starts_what_seems_to_be_in_a_queue(
        self, any_app: Flask, upload: str, running: Callable[[], list[str]]
    ) -> None:
        change(any_app, upload, queued_until=now() + AHEAD)
        assert running() == [f"delivery-{upload}-0"]

    def test_starts_what_a_worker_held_that_died(
        self, any_app: Flask, upload: str, running: Callable[[], list[str]]
    ) -> None:
        claim(upload)
        change(any_app, upload, lease_until=now() + AHEAD)
        assert running() == []
        # From here on its lease lapses as each does.
        left = lease_of(upload) - now()
        assert timedelta(0) < left <= timedelta(seconds=settings_of(any_app).delivery.lease_seconds)
        lapse(any_app, upload)
        assert running() == [f"delivery-{upload}-1"]

    def test_says_so(self, any_app: Flask, upload: str, caplog: pytest.LogCaptureFixture) -> None:
        change(any_app, upload, next_try_at=now() + AHEAD)
        rounds = relay.Relay(any_app, threading.Event())
        rounds.round()
        rounds.round()
        assert [line for line in caplog.messages if "clock" in line] == [
            "waits that a clock had set which was ahead end now: 1"
        ]


class TestWrong:
    """Times that no clock but a wrong one has written."""

    @pytest.mark.parametrize("ahead", [HOUR, AHEAD, timedelta(days=3000)])
    def test_never_tried(self, any_app: Flask, upload: str, ahead: timedelta) -> None:
        change(any_app, upload, next_try_at=now() + ahead)
        assert outbox.claim(upload) is None
        assert outbox_clock.end_wrong_waits() == 1
        assert outbox_clock.end_wrong_waits() == 0
        assert claim(upload).attempt == 1

    def test_last_tried_in_an_hour(self, any_app: Flask, upload: str) -> None:
        """Its next try alone could be right."""
        fail(any_app, upload)
        tried = now() + HOUR
        change(any_app, upload, started_at=tried, next_try_at=tried + timedelta(seconds=5))
        assert outbox_clock.end_wrong_waits() == 1
        assert claim(upload).attempt == 2

    def test_a_receiver_rests(self, any_app: Flask) -> None:
        rest(now() + AHEAD)
        assert outbox_clock.end_wrong_waits() == 1
        assert db.session.scalars(select(Lane.rest_until)).one() <= now()

    def test_the_clock_went_back_in_the_middle_of_an_attempt(self, any_app: Flask, upload: str) -> None:
        """Its worker lives: it keeps the delivery, and its word counts."""
        real = claim(upload)
        mine = replace(real, started_at=real.started_at + AHEAD)
        change(any_app, upload, started_at=mine.started_at, lease_until=mine.started_at + NEAR)
        assert outbox_clock.end_wrong_waits() == 1
        assert outbox.expire_leases() == []
        assert outbox.renew(mine)
        assert outbox_clock.end_wrong_waits() == 0
        assert outbox.finish(mine, Outcome(DONE))


class TestRight:
    """Waits that are as long as they should be."""

    @pytest.fixture(autouse=True)
    def longest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outbox.random, "uniform", lambda low, high: high)

    @pytest.mark.parametrize(("first", "longest"), [(3600.0, 3600.0), (86400.0, 86400.0), (5.0, 5.0)])
    def test_until_the_next_try(self, any_app: Flask, upload: str, first: float, longest: float) -> None:
        tune(any_app, retry_first_seconds=first, retry_longest_seconds=longest)
        fail(any_app, upload)
        assert outbox_clock.end_wrong_waits() == 0
        assert not claimable(upload)

    def test_as_the_other_side_asked(self, any_app: Flask, upload: str) -> None:
        fail(any_app, upload, retry_after=10 * outbox.LONGEST_WISH_SECONDS)
        assert outbox_clock.end_wrong_waits() == 0
        assert not claimable(upload)

    def test_while_it_is_worked_on(self, any_app: Flask, upload: str) -> None:
        mine = claim(upload)
        assert outbox.renew(mine)
        before = lease_of(upload)
        assert outbox_clock.end_wrong_waits() == 0
        assert lease_of(upload) == before

    def test_in_a_queue(self, any_app: Flask, upload: str) -> None:
        outbox.mark_queued([upload])
        assert outbox_clock.end_wrong_waits() == 0
        assert not claimable(upload)

    def test_a_receiver_that_rests(self, any_app: Flask) -> None:
        rest(now())
        with writing():
            db.session.execute(update(Lane).values(timeouts=1000))
            lanes.timed_out("receiver.example:443")
        assert outbox_clock.end_wrong_waits() == 0
        assert db.session.scalars(select(Lane.rest_until)).one() > now() + NEAR

    def test_what_is_over(self, any_app: Flask, upload: str) -> None:
        change(any_app, upload, state=DONE, next_try_at=now() + AHEAD, lease_until=now() + AHEAD)
        assert outbox_clock.end_wrong_waits() == 0


@pytest.mark.parametrize("asked", [None, 0.0, 1e9])
def test_no_wait_is_longer_than_the_longest(asked: float | None) -> None:
    rules = DeliverySettings()
    attempt = 1
    while (wait := outbox.next_wait(attempt, rules, asked)) is not None:
        assert wait * (1 + outbox.JITTER) <= outbox.longest_wait(rules)
        attempt += 1
    assert attempt > 10
