"""Receivers that do not answer in time rest, on every database, and hold up nobody else's deliveries."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, tzinfo

import pytest
from sqlalchemy import select, update

from app.database import writing
from app.extensions import db
from app.models import Delivery, Lane
from app.models.base import database_now, utc_now
from app.services import deliveries, outbox
from app.services import lanes as rests
from tests.delivery.hooked import (
    box,
    deliver,
    end_rest,
    lanes,
    make_due,
    message,
    owed,
    own_webhook,
    set_webhook,
    settings_of,
)
from tests.net.receivers import Receiver, hang, receiving, reply
from tests.support import free_port

SHORT = 0.3


@pytest.fixture
def slow():
    with receiving(hang) as receiver:
        yield receiver


@pytest.fixture
def hung(any_app, slow: Receiver):
    """Mailbox 1001 has a receiver that hangs, 1002 has none yet; answers must come soon."""
    set_webhook(any_app, timeout_seconds=SHORT)
    box("1001")
    box("1002")
    own_webhook("1001", slow.url())
    return any_app


def name_of(receiver: Receiver) -> str:
    return f"127.0.0.1:{receiver.port}"


def due() -> set[str]:
    found = {row.id for row in outbox.due() if row.kind == "webhook"}
    db.session.rollback()
    return found


def test_one_that_hangs_rests_and_its_other_deliveries_wait(hung, slow):
    first, second = message(hung), message(hung)
    assert deliver(first)[0].state == "pending"
    assert lanes() == {name_of(slow): 1}
    [waiting] = owed(second)
    assert (outbox.claim(waiting.id), due()) == (None, set())
    assert owed(second)[0].attempts == 0


def test_others_are_called_meanwhile(hung, slow):
    with receiving(reply(200)) as quick:
        own_webhook("1002", quick.url())
        deliver(message(hung))
        set_webhook(hung)
        assert deliver(message(hung, "1002"))[0].state == "done"
    assert lanes() == {name_of(slow): 1}


def test_mailboxes_of_one_host_share_its_rest(hung, slow):
    own_webhook("1002", slow.url("/another"))
    other = message(hung, "1002")
    deliver(message(hung))
    assert outbox.claim(owed(other)[0].id) is None


def test_after_its_rest_one_worker_at_a_time_tries(hung, slow):
    ids = [owed(message(hung))[0].id for _ in range(3)]
    deliver(db.session.scalar(select(Delivery.message_id).where(Delivery.id == ids[0])))
    end_rest()
    assert due() >= set(ids[1:])
    first = outbox.claim(ids[1])
    assert first is not None
    assert outbox.claim(ids[2]) is None
    assert db.session.get_one(Delivery, ids[2], populate_existing=True).attempts == 0
    assert due() == set()


def test_who_answers_is_called_as_always(hung, slow):
    slow.play(hang, reply(500), reply(200))
    first, second, third = message(hung), message(hung), message(hung)
    deliver(first)
    set_webhook(hung)
    end_rest()
    assert deliver(second)[0].last_error.endswith("answered 500 Internal Server Error.")
    assert lanes() == {}
    assert deliver(third)[0].state == deliver(first)[0].state == "done"


def test_each_rest_is_twice_as_long(hung, slow):
    message_id = message(hung)
    lengths = []
    for _ in range(3):
        deliver(message_id)
        now = db.session.execute(select(database_now())).scalar_one()
        lengths.append((db.session.scalars(select(Lane.rest_until)).one() - now).total_seconds())
        end_rest()
    assert lengths == pytest.approx([5, 10, 20], abs=2)
    with writing():
        db.session.execute(update(Lane).values(timeouts=1000))
    deliver(message_id)
    now = db.session.execute(select(database_now())).scalar_one()
    left = (db.session.scalars(select(Lane.rest_until)).one() - now).total_seconds()
    assert left == pytest.approx(rests.LONGEST_REST_SECONDS, abs=2)


def test_one_that_fails_at_once_does_not_rest(hung):
    set_webhook(hung)
    own_webhook("1001", f"http://127.0.0.1:{free_port()}/")
    deliver(message(hung))
    assert lanes() == {}


def test_two_workers_that_ran_out_of_time_together(hung, slow):
    together, failed = threading.Barrier(2), []

    def run_out() -> None:
        try:
            with hung.app_context():
                together.wait(10)
                with writing():
                    rests.timed_out(name_of(slow))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run_out) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failed == []
    assert list(lanes()) == [name_of(slow)]


def test_what_waited_for_days_is_given_up(hung):
    old, young = message(hung), message(hung)
    deliver(old)
    now = db.session.execute(select(database_now())).scalar_one()
    long_ago = now - timedelta(seconds=2 * settings_of(hung).delivery.give_up_seconds + 60)
    with writing():
        db.session.execute(update(Delivery).where(Delivery.message_id == old).values(created_at=long_ago))
    assert rests.give_up() == 1
    assert [(row.state, row.last_error) for row in owed(old)] == [("failed", rests.GAVE_UP)]
    assert owed(young)[0].state == "pending"
    assert rests.give_up() == 0
    [ended] = owed(old)
    tried, last = deliveries.histories([ended.id])[ended.id]
    assert (tried.state, tried.attempt) == ("pending", 1)
    assert (last.state, last.attempt, last.error) == ("failed", 1, rests.GAVE_UP)
    assert (last.started_at, last.next_try_at, last.ended_at) == (None, None, ended.done_at)


def test_the_clock_of_the_host_that_recorded_it_does_not_count(hung, monkeypatch):
    class DaysAgo(datetime):
        """What a host believes whose clock is three days behind."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) - timedelta(days=3)

    with monkeypatch.context() as behind:
        behind.setattr("app.models.base.datetime", DaysAgo)
        began = utc_now()
        young = message(hung)
    now = db.session.execute(select(database_now())).scalar_one()
    assert now - began > timedelta(seconds=2 * settings_of(hung).delivery.give_up_seconds)
    assert deliver(young)[0].state == "pending"
    assert len(lanes()) == 1
    assert rests.give_up() == 0
    assert owed(young)[0].state == "pending"


def test_old_deliveries_of_others_are_not_given_up(hung):
    deliver(message(hung))
    set_webhook(hung)
    with receiving(reply(200)) as quick:
        own_webhook("1002", quick.url())
        other = message(hung, "1002")
        now = db.session.execute(select(database_now())).scalar_one()
        with writing():
            db.session.execute(update(Delivery).values(created_at=now - timedelta(days=9)))
        rests.give_up()
        make_due(owed(other)[0].id)
        assert deliver(other)[0].state == "done"
