"""What is done about what takes long, and that leases live by it."""

from __future__ import annotations

import threading

from flask import Flask

from app.alarms import Alarms
from app.jobs import lease
from app.services import outbox
from tests.jobs.owed import owe, row, tune
from tests.support import until


def test_it_goes_off_as_often_as_it_says() -> None:
    alarms, rung = Alarms("test"), threading.Semaphore(0)
    count = 0

    def act() -> float | None:
        nonlocal count
        count += 1
        rung.release()
        return 0.01 if count < 3 else None

    with alarms.after(0.01, act):
        assert all(rung.acquire(timeout=20) for _ in range(3))
        assert not rung.acquire(timeout=0.1)


def test_what_is_over_in_time_hears_nothing_and_the_thread_ends() -> None:
    alarms, rung = Alarms("test"), []
    for _ in range(50):
        with alarms.after(0.2, lambda: rung.append(1)):
            pass
    until(lambda: alarms._thread is None, 20, "the thread ends")
    assert rung == []


def test_a_short_one_does_not_wait_for_a_long_one_or_one_that_fails() -> None:
    alarms, rung = Alarms("test"), threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    with alarms.after(3600, fail), alarms.after(0.0, fail), alarms.after(0.01, rung.set):
        assert rung.wait(20)


def test_a_lease_is_renewed_for_as_long_as_the_work_takes(app: Flask) -> None:
    tune(app, lease_seconds=2)
    message_id = owe(app)
    with app.app_context():
        mine = outbox.claim(row(app, message_id).id)
        assert mine is not None
        first = row(app, message_id).lease_until
        with lease.kept(mine):
            until(lambda: row(app, message_id).lease_until > first, 20, "the lease is longer")
