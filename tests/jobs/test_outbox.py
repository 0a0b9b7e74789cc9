"""The outbox on every database: who may start what when, and whose word counts."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.config import DeliverySettings
from app.extensions import db
from app.models.base import database_now
from app.services import outbox
from app.services.outbox import DONE, FAILED, PENDING, SKIPPED, Outcome
from tests.jobs.owed import change, lapse, make_due, message_of, owe, row, tune
from tests.support import until


def now_of(app: Flask):
    with app.app_context():
        return db.session.execute(select(database_now())).scalar_one()


def claim(app: Flask, delivery_id: str):
    with app.app_context():
        return outbox.claim(delivery_id)


def finish(app: Flask, mine, outcome: Outcome) -> bool:
    with app.app_context():
        return outbox.finish(mine, outcome)


def due_kinds(app: Flask) -> list[str]:
    with app.app_context():
        return [found.kind for found in outbox.due()]


def test_a_new_message_owes_an_upload_and_skips_the_rest(any_app):
    message_id = owe(any_app)
    rows = [row(any_app, message_id, kind) for kind in ("upload", "email", "webhook")]
    assert [(r.kind, r.position, r.state) for r in rows] == [
        ("upload", 1, PENDING),
        ("email", 2, SKIPPED),
        ("webhook", 3, SKIPPED),
    ]
    assert len({r.event_id for r in rows}) == 1
    assert len({r.idempotency_key for r in rows}) == 3
    assert rows[0].target == message_of(any_app, message_id).spool_host


def test_a_claim_takes_the_row_with_a_new_number_and_the_databases_time(any_app):
    delivery_id = row(any_app, owe(any_app)).id
    before = now_of(any_app)
    mine = claim(any_app, delivery_id)
    taken = row(any_app, mine.message_id)
    assert (mine.kind, mine.attempt, mine.fencing) == ("upload", 1, 1)
    assert (taken.state, taken.attempts, taken.fencing) == ("running", 1, 1)
    assert before <= taken.started_at <= now_of(any_app)
    assert taken.lease_until - taken.started_at == timedelta(seconds=60)


def test_one_of_many_claimants_gets_it(any_app):
    message_id = owe(any_app)
    delivery_id = row(any_app, message_id).id
    ready, claims, errors = threading.Barrier(6), [], []

    def compete() -> None:
        with any_app.app_context():
            ready.wait(10)
            try:
                claims.append(outbox.claim(delivery_id))
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=compete) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert len(claims) == 6
    assert [taken.fencing for taken in claims if taken] == [1]
    assert row(any_app, message_id).attempts == 1


@pytest.mark.parametrize("delivery_id", ["", "none", "0" * 36, "' OR 1=1 --"])
def test_an_unknown_delivery_cannot_be_claimed(any_app, delivery_id):
    owe(any_app)
    assert claim(any_app, delivery_id) is None


def test_an_outcome_ends_the_delivery(any_app):
    mine = claim(any_app, row(any_app, owe(any_app)).id)
    assert finish(any_app, mine, Outcome(DONE))
    ended = row(any_app, mine.message_id)
    assert (ended.state, ended.lease_until, ended.last_error) == (DONE, None, "")
    assert ended.done_at is not None
    assert claim(any_app, mine.delivery_id) is None
    assert not finish(any_app, mine, Outcome(FAILED, error="again"))


def test_an_old_claimants_outcome_does_not_count(any_app):
    old = claim(any_app, row(any_app, owe(any_app)).id)
    lapse(any_app, old.delivery_id)
    new = claim(any_app, old.delivery_id)
    assert (new.fencing, new.attempt) == (2, 2)
    changed = []
    assert not finish(any_app, old, Outcome(DONE, changes=lambda: changed.append("old")))
    with any_app.app_context():
        assert not outbox.renew(old)
        assert outbox.renew(new)
    assert row(any_app, old.message_id).state == "running"
    assert finish(any_app, new, Outcome(DONE, changes=lambda: changed.append("new")))
    assert changed == ["new"]
    assert row(any_app, old.message_id).state == DONE


def test_changes_and_outcome_are_one_commit(any_app):
    mine = claim(any_app, row(any_app, owe(any_app)).id)

    def fail() -> None:
        raise ZeroDivisionError

    with any_app.app_context():
        with pytest.raises(ZeroDivisionError):
            outbox.finish(mine, Outcome(DONE, changes=fail))
        db.session.commit()
    assert row(any_app, mine.message_id).state == "running"


def test_a_renewed_lease_does_not_lapse(any_app):
    mine = claim(any_app, row(any_app, owe(any_app)).id)
    lapse(any_app, mine.delivery_id)
    with any_app.app_context():
        assert outbox.renew(mine)
        assert outbox.expire_leases() == []
    assert claim(any_app, mine.delivery_id) is None


def test_a_lapsed_lease_gives_the_row_back_at_once(any_app):
    mine = claim(any_app, row(any_app, owe(any_app)).id)
    lapse(any_app, mine.delivery_id)
    with any_app.app_context():
        assert outbox.expire_leases() == [mine.delivery_id]
        assert outbox.expire_leases() == []
    assert "worker" in row(any_app, mine.message_id).last_error
    assert due_kinds(any_app) == ["upload"]
    assert not finish(any_app, mine, Outcome(DONE))
    assert claim(any_app, mine.delivery_id).fencing == 2


def test_a_retry_waits_and_the_wait_doubles(any_app):
    delivery_id = row(any_app, owe(any_app)).id
    for wait in (5, 10, 20):
        mine = claim(any_app, delivery_id)
        assert finish(any_app, mine, Outcome(PENDING, error="the store is away"))
        tried = row(any_app, mine.message_id)
        assert (tried.state, tried.last_error) == (PENDING, "the store is away")
        left = (tried.next_try_at - now_of(any_app)).total_seconds()
        assert wait - 5 < left <= wait * (1 + outbox.JITTER)
        assert claim(any_app, delivery_id) is None
        assert due_kinds(any_app) == []
        make_due(any_app, delivery_id)


def test_what_the_other_side_asks_for_is_waited_for(any_app):
    mine = claim(any_app, row(any_app, owe(any_app)).id)
    finish(any_app, mine, Outcome(PENDING, error="busy", retry_after=500))
    left = (row(any_app, mine.message_id).next_try_at - now_of(any_app)).total_seconds()
    assert 400 < left <= 500 * (1 + outbox.JITTER)


def test_a_delivery_that_waited_too_long_has_failed(any_app):
    tune(any_app, give_up_seconds=14)
    delivery_id = row(any_app, owe(any_app)).id
    states = []
    for _ in range(3):
        mine = claim(any_app, delivery_id)
        finish(any_app, mine, Outcome(PENDING, error="away"))
        states.append(row(any_app, mine.message_id).state)
        make_due(any_app, delivery_id)
    assert states == [PENDING, PENDING, FAILED]
    assert claim(any_app, delivery_id) is None
    assert row(any_app, mine.message_id).done_at is not None


def test_a_host_that_was_off_for_days_still_tries_more_than_once(any_app):
    delivery_id = row(any_app, owe(any_app)).id
    change(any_app, delivery_id, created_at=now_of(any_app) - timedelta(days=3))
    mine = claim(any_app, delivery_id)
    finish(any_app, mine, Outcome(PENDING, error="away"))
    assert row(any_app, mine.message_id).state == PENDING


def test_an_upload_that_was_given_up_is_opened_again_while_its_audio_is_in_a_spool(any_app):
    mine = claim(any_app, row(any_app, owe(any_app)).id)
    finish(any_app, mine, Outcome(FAILED, error="wrong bucket"))
    with any_app.app_context():
        assert outbox.reopen_uploads() == [mine.delivery_id]
        assert outbox.reopen_uploads() == []
    assert claim(any_app, mine.delivery_id).fencing == 2


def test_deliveries_start_in_order(any_app):
    message_id = owe(any_app, pending=("upload", "email", "webhook"))
    ids = {kind: row(any_app, message_id, kind).id for kind in ("upload", "email", "webhook")}
    for kind, later in (("upload", ("email", "webhook")), ("email", ("webhook",)), ("webhook", ())):
        assert due_kinds(any_app) == [kind]
        assert [claim(any_app, ids[other]) for other in later] == [None] * len(later)
        mine = claim(any_app, ids[kind])
        assert due_kinds(any_app) == []
        assert finish(any_app, mine, Outcome(DONE))
        with any_app.app_context():
            assert [found.kind for found in outbox.following(mine)] == list(later[:1])


def test_a_skipped_delivery_does_not_let_the_next_pass_the_first(any_app):
    message_id = owe(any_app, pending=("upload", "webhook"))
    assert claim(any_app, row(any_app, message_id, "webhook").id) is None
    finish(any_app, claim(any_app, row(any_app, message_id).id), Outcome(DONE))
    assert due_kinds(any_app) == ["webhook"]


def test_an_attempt_that_failed_lets_the_next_delivery_start(any_app):
    message_id = owe(any_app, pending=("upload", "email"))
    upload = row(any_app, message_id).id
    finish(any_app, claim(any_app, upload), Outcome(PENDING, error="the store is away"))
    assert due_kinds(any_app) == ["email"]
    # Neither does the second attempt of the first hold it up again.
    make_due(any_app, upload)
    assert claim(any_app, upload).attempt == 2
    assert due_kinds(any_app) == ["email"]


def test_a_slow_attempt_holds_the_next_up_for_two_seconds_only(any_app):
    message_id = owe(any_app, pending=("upload", "email"))
    mine = claim(any_app, row(any_app, message_id).id)
    assert due_kinds(any_app) == []
    change(any_app, mine.delivery_id, started_at=now_of(any_app) - timedelta(seconds=2.1))
    assert due_kinds(any_app) == ["email"]
    assert claim(any_app, row(any_app, message_id, "email").id) is not None


def test_one_that_no_worker_takes_holds_up_no_other(any_app):
    """All workers of its kind hang, or its host is down: the others are told, one after the other."""
    message_id = owe(any_app, pending=("upload", "email", "webhook"))
    ids = {kind: row(any_app, message_id, kind).id for kind in ("upload", "email", "webhook")}
    change(any_app, ids["upload"], next_try_at=now_of(any_app) - timedelta(seconds=9))
    assert due_kinds(any_app) == ["upload"]
    change(any_app, ids["upload"], next_try_at=now_of(any_app) - timedelta(seconds=10.1))
    assert due_kinds(any_app) == ["upload", "email"]
    assert claim(any_app, ids["webhook"]) is None
    mine = claim(any_app, ids["email"])
    assert finish(any_app, mine, Outcome(DONE))
    with any_app.app_context():
        # The upload stays at its place in the queue.
        assert [found.kind for found in outbox.following(mine)] == ["webhook"]
    assert claim(any_app, ids["webhook"]) is not None


def test_what_waits_in_a_queue_is_not_due_until_it_counts_as_lost(any_app):
    delivery_id = row(any_app, owe(any_app)).id
    with any_app.app_context():
        outbox.mark_queued([delivery_id])
    assert due_kinds(any_app) == []
    change(any_app, delivery_id, queued_until=now_of(any_app) - timedelta(seconds=1))
    assert due_kinds(any_app) == ["upload"]


def test_due_is_limited_and_the_longest_due_come_first(any_app):
    ids = [row(any_app, owe(any_app)).id for _ in range(3)]
    for days, delivery_id in zip((1, 3, 2), ids, strict=True):
        change(any_app, delivery_id, next_try_at=now_of(any_app) - timedelta(days=days))
    with any_app.app_context():
        assert [found.id for found in outbox.due(2)] == [ids[1], ids[2]]


def test_claims_of_different_rows_do_not_disturb_each_other(any_app):
    ids = [row(any_app, owe(any_app)).id for _ in range(8)]
    ready, counted, errors = threading.Barrier(8), [], []

    def work(delivery_id: str) -> None:
        with any_app.app_context():
            try:
                ready.wait(10)
                mine = outbox.claim(delivery_id)
                outbox.renew(mine)
                counted.append(outbox.finish(mine, Outcome(DONE)))
                outbox.expire_leases()
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=work, args=(delivery_id,)) for delivery_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert counted == [True] * 8


def test_the_waits_add_up_to_the_time_of_giving_up():
    settings = DeliverySettings()
    waits = []
    while (wait := outbox.next_wait(len(waits) + 1, settings)) is not None:
        waits.append(wait)
    assert waits[:4] == [5, 10, 20, 40]
    assert max(waits) == 3600
    assert settings.give_up_seconds <= sum(waits) < settings.give_up_seconds + 3600
    assert outbox.next_wait(10_000, settings) is None


# SQLite lets nobody write in between: a claim has the lock of the file from its read on.
@pytest.mark.parametrize("any_app", ["postgresql", "mariadb"], indirect=True)
def test_a_claim_that_read_the_row_before_another_attempt_does_not_take_it(any_app, monkeypatch):
    message_id = owe(any_app)
    delivery_id = row(any_app, message_id).id
    change(any_app, delivery_id, next_try_at=now_of(any_app) - timedelta(hours=1))
    real, others = outbox._lease, [1]

    def lease() -> timedelta:
        # Between the read and the UPDATE: another claims, fails, and its wait is over.
        while others:
            others.pop()
            with any_app.app_context():
                outbox.finish(outbox.claim(delivery_id), Outcome(PENDING, error="away"))
            change(any_app, delivery_id, next_try_at=now_of(any_app) - timedelta(hours=1))
        return real()

    monkeypatch.setattr(outbox, "_lease", lease)
    assert claim(any_app, delivery_id) is None
    left = row(any_app, message_id)
    assert (left.state, left.fencing, left.attempts) == (PENDING, 1, 1)


def test_messages_do_not_wait_for_each_other(any_app):
    stuck, other = owe(any_app, pending=("upload", "email")), owe(any_app, pending=("upload", "email"))
    finish(any_app, claim(any_app, row(any_app, other).id), Outcome(DONE))
    assert sorted(due_kinds(any_app)) == ["email", "upload"]
    assert claim(any_app, row(any_app, stuck, "email").id) is None
    assert claim(any_app, row(any_app, other, "email").id) is not None


def test_a_retry_is_due_as_soon_as_its_wait_is_over(any_app):
    tune(any_app, retry_first_seconds=0.05)
    delivery_id = row(any_app, owe(any_app)).id
    with any_app.app_context():
        outbox.mark_queued([delivery_id])
    finish(any_app, claim(any_app, delivery_id), Outcome(PENDING, error="away"))
    until(lambda: due_kinds(any_app) == ["upload"], 10, "the retry is due, though the queue had the attempt before")
