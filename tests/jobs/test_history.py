"""The history of deliveries, on every database: a row an attempt, whatever became of it."""

from __future__ import annotations

import logging
import threading

import pytest
from flask import Flask
from sqlalchemy import delete, func, select

from app.database import writing
from app.delivery.errors import PermanentError, TemporaryError
from app.extensions import db
from app.jobs import relay, run
from app.models import Attempt, Delivery
from app.services import deliveries, outbox, purge
from app.services.outbox import DONE, FAILED, JITTER, PENDING, SKIPPED, WORKER_ENDED, Claim, Outcome
from tests.jobs.owed import change, lapse, make_due, owe, row, tune


def history(delivery_id: str) -> list[Attempt]:
    db.session.expire_all()
    return deliveries.histories([delivery_id]).get(delivery_id, [])


def claim(delivery_id: str) -> Claim:
    # A session that still reads sees what others wrote when it is done.
    db.session.rollback()
    mine = outbox.claim(delivery_id)
    assert mine is not None
    return mine


def fail(app: Flask, delivery_id: str, **outcome: object) -> None:
    """An attempt that ends with an error that may be gone the next time."""
    make_due(app, delivery_id)
    assert outbox.finish(claim(delivery_id), Outcome(PENDING, **{"error": "no", **outcome}))  # type: ignore[arg-type]


@pytest.fixture
def upload(any_app: Flask) -> str:
    """The id of a delivery that is due."""
    return row(any_app, owe(any_app)).id


@pytest.mark.parametrize(("state", "error"), [(DONE, ""), (SKIPPED, "the message was purged"), (FAILED, "no bucket")])
def test_an_attempt_that_ends_it(any_app: Flask, upload: str, state: str, error: str) -> None:
    outbox.finish(claim(upload), Outcome(state, error=error))
    [line] = history(upload)
    assert (line.attempt, line.state, line.error, line.next_try_at) == (1, state, error, None)
    assert line.started_at is not None
    assert line.started_at <= line.ended_at


def test_one_that_another_follows(any_app: Flask, upload: str) -> None:
    for _ in range(3):
        fail(any_app, upload)
    lines = history(upload)
    assert [(line.attempt, line.state, line.error) for line in lines] == [(n, PENDING, "no") for n in (1, 2, 3)]
    assert lines[2].next_try_at == db.session.get_one(Delivery, upload).next_try_at
    assert all(line.next_try_at and line.next_try_at > line.ended_at for line in lines)


def test_the_last_of_many(any_app: Flask, upload: str) -> None:
    tune(any_app, give_up_seconds=1, retry_first_seconds=1.0)
    fail(any_app, upload)
    fail(any_app, upload)
    assert [(line.state, line.next_try_at is None) for line in history(upload)] == [(PENDING, False), (FAILED, True)]
    assert db.session.get_one(Delivery, upload).state == FAILED


def test_an_outcome_that_does_not_count_leaves_none(any_app: Flask, upload: str) -> None:
    old = claim(upload)
    lapse(any_app, upload)
    new = claim(upload)
    assert not outbox.finish(old, Outcome(DONE))
    assert history(upload) == []
    assert outbox.finish(new, Outcome(DONE))
    assert [(line.attempt, line.state) for line in history(upload)] == [(2, DONE)]


def test_a_change_that_fails_leaves_none_either(any_app: Flask, upload: str) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        outbox.finish(claim(upload), Outcome(DONE, changes=broken))
    assert history(upload) == []


def test_a_worker_that_died(any_app: Flask, upload: str) -> None:
    claim(upload)
    lapse(any_app, upload)
    assert outbox.expire_leases() == [upload]
    assert outbox.expire_leases() == []
    [line] = history(upload)
    assert (line.attempt, line.state, line.error) == (1, PENDING, WORKER_ENDED)
    assert line.next_try_at is not None


def test_two_relays_write_one_row_for_a_worker_that_died(any_app: Flask, upload: str) -> None:
    claim(upload)
    lapse(any_app, upload)
    ready, found = threading.Barrier(4), []

    def expire() -> None:
        with any_app.app_context():
            ready.wait(10)
            found.extend(outbox.expire_leases())

    threads = [threading.Thread(target=expire) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == [upload]
    assert len(history(upload)) == 1


def test_waits_are_longer_by_a_part_that_differs(any_app: Flask, upload: str) -> None:
    waits = []
    for _ in range(12):
        change(any_app, upload, attempts=0)
        fail(any_app, upload)
        line = history(upload)[-1]
        assert line.next_try_at is not None
        waits.append((line.next_try_at - line.ended_at).total_seconds())
    assert all(5.0 <= wait <= 5.0 * (1 + JITTER) for wait in waits)
    assert len({round(wait, 3) for wait in waits}) > 6


def test_what_the_other_side_asks_for_is_never_cut_short(any_app: Flask, upload: str) -> None:
    fail(any_app, upload, retry_after=100.0)
    [line] = history(upload)
    assert line.next_try_at is not None
    assert 100.0 <= (line.next_try_at - line.ended_at).total_seconds() <= 100.0 * (1 + JITTER)


class TestTryAgain:
    """All attempts anew, and the history stays."""

    @pytest.mark.parametrize("again", ["try_again", "retry"])
    def test_attempts_begin_anew_and_the_history_stays(self, any_app: Flask, upload: str, again: str) -> None:
        tune(any_app, give_up_seconds=1, retry_first_seconds=1.0)
        fail(any_app, upload)
        fail(any_app, upload)
        if again == "retry":
            deliveries.retry(upload, actor="test")
        else:
            assert outbox.try_again(Delivery.id == upload) == [upload]
        left = db.session.get_one(Delivery, upload, populate_existing=True)
        assert (left.state, left.attempts, left.done_at, left.fencing) == (PENDING, 0, None, 2)
        fail(any_app, upload)
        assert [line.attempt for line in history(upload)] == [1, 2, 1]
        assert db.session.get_one(Delivery, upload).state == PENDING, "it has all its attempts before it"

    def test_what_waits_is_due_now(self, any_app: Flask, upload: str) -> None:
        fail(any_app, upload)
        assert outbox.claim(upload) is None
        deliveries.retry(upload, actor="test")
        assert outbox.claim(upload) is not None

    def test_what_runs_is_left_alone(self, any_app: Flask, upload: str) -> None:
        mine = claim(upload)
        deliveries.retry(upload, actor="test")
        assert deliveries.retry_all(actor="test") == 0
        assert outbox.finish(mine, Outcome(DONE))
        assert deliveries.retry_all(actor="test") == 0

    def test_all_are_one_update_and_counted(self, any_app: Flask) -> None:
        failed = [row(any_app, owe(any_app, extension=f"10{n}")).id for n in range(4)]
        for each in failed[:3]:
            outbox.finish(claim(each), Outcome(FAILED, error="no"))
        assert deliveries.failed_count() == deliveries.count() == 3
        assert deliveries.retry_all(kind="email", actor="test") == 0
        assert deliveries.retry_all(kind="upload", state="failed", actor="test") == 3
        assert deliveries.count() == 0
        assert sorted(each.id for each in outbox.due()) == sorted(failed)
        assert deliveries.on_their_way() == 4


class TestEnd:
    """What remains of it."""

    def test_it_goes_with_its_delivery(self, any_app: Flask, upload: str) -> None:
        fail(any_app, upload)
        with writing():
            db.session.execute(delete(Delivery).where(Delivery.id == upload))
        assert db.session.scalar(select(func.count()).select_from(Attempt)) == 0

    def test_it_stays_with_a_message_that_is_purged(self, any_app: Flask) -> None:
        message_id = owe(any_app)
        upload = row(any_app, message_id).id
        fail(any_app, upload)
        purge.purge(message_id)
        make_due(any_app, upload)
        run.deliver(upload)
        message, told = deliveries.of_message(message_id)
        assert message.purged_at is not None
        [lines] = [one.attempts for one in told if one.delivery.id == upload]
        assert [(line.state, line.error) for line in lines] == [(PENDING, "no"), (SKIPPED, "the message was purged")]


def test_the_sweep_closes_what_failed_of_messages_that_are_gone(any_app: Flask) -> None:
    gone, there = owe(any_app, pending=("email",)), owe(any_app, pending=("email",), extension="1002")
    for message_id in (gone, there):
        change(any_app, row(any_app, message_id, "email").id, state=FAILED, attempts=3, last_error="no such user")
    purge.purge(gone)
    relay.sweep()
    closed, left = row(any_app, gone, "email"), row(any_app, there, "email")
    assert (closed.state, closed.last_error) == (SKIPPED, deliveries.PURGED)
    assert (left.state, left.last_error) == (FAILED, "no such user")
    assert deliveries.close_pointless() == 0


@pytest.mark.parametrize(
    ("error", "level", "words"),
    [
        (TemporaryError("busy"), logging.WARNING, "attempt=1 pending: busy"),
        (PermanentError("no bucket"), logging.ERROR, "attempt=1 failed: no bucket"),
    ],
)
def test_the_log_says_what_became_of_it(
    any_app: Flask, upload: str, monkeypatch, caplog, error: Exception, level: int, words: str
) -> None:
    def handler(*_: object) -> Outcome:
        raise error

    monkeypatch.setitem(run.HANDLERS, "upload", handler)
    with caplog.at_level(logging.INFO):
        run.deliver(upload)
    assert [(line.levelno, words in line.getMessage()) for line in caplog.records if line.name == run.log.name] == [
        (level, True)
    ]


def test_the_log_says_that_it_was_given_up(any_app: Flask, upload: str, monkeypatch, caplog) -> None:
    def handler(*_: object) -> Outcome:
        raise TemporaryError("busy")

    tune(any_app, give_up_seconds=1, retry_first_seconds=1.0)
    fail(any_app, upload)
    make_due(any_app, upload)
    monkeypatch.setitem(run.HANDLERS, "upload", handler)
    with caplog.at_level(logging.INFO):
        run.deliver(upload)
    assert "attempt=2 failed: busy" in caplog.text
