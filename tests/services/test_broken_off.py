"""Programmed calls whose voice worker was killed: closed once it is sure that nobody serves them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from flask import Flask

from app.extensions import db
from app.jobs.relay import Relay
from app.models.base import utc_now
from app.services import broken_off, calls, trace_rows
from voice.board import CALLS_PREFIX
from voice.twiml.trace import VERB, CallState, Entry

Publish = Callable[..., None]


def sid_of(number: int) -> str:
    """The sid of a test's call."""
    return f"CA{number:032x}"


def state_of(number: int, **facts: Any) -> CallState:
    """A call that began a moment ago."""
    facts = {"started_at": utc_now().isoformat(), "sip_call_id": f"{number}@pbx"} | facts
    return CallState(sid_of(number), "", "+15551234", "1000", "in-progress", **facts)


def write(*things: CallState | Entry) -> None:
    """Write states and entries as the keeper does."""
    states = [asdict(one) for one in things if isinstance(one, CallState)]
    trace_rows.write(trace_rows.told(states, [asdict(one) for one in things if isinstance(one, Entry)]))


def line_of(number: int) -> Entry:
    """A line of a call's trace, now."""
    return Entry(sid_of(number), 0, VERB, "Play", utc_now().isoformat())


def status_of(number: int) -> str:
    """What the portal and the API say of a call."""
    db.session.expire_all()
    return calls.get(sid_of(number)).status


@pytest.fixture
def publish(any_app: Flask, valkey: str) -> Iterator[Publish]:
    """publish(Call-IDs, total, worker): the calls that a worker serves, as its keeper writes them."""
    any_app.extensions["settings"] = replace(any_app.extensions["settings"], redis_url=valkey)
    with redis.Redis.from_url(valkey) as client:

        def act(*call_ids: str, total: int | None = None, worker: str = "pbx:5060") -> None:
            rows = [
                {"id": number, "call_id": call_id, "caller": "", "caller_name": "", "extension": "", "mailbox_id": ""}
                | {"timezone": "UTC", "since": utc_now().isoformat(), "state": "programmed", "held": False}
                | {"received": 0, "lost": 0, "lost_there": None}
                for number, call_id in enumerate(call_ids)
            ]
            board = {"total": len(rows) if total is None else total, "calls": rows}
            client.set(CALLS_PREFIX + worker, json.dumps(board))

        yield act


class TestLook:
    """The relay looks twice."""

    def test_a_call_that_nobody_serves_is_closed_at_the_second_look(self, any_app: Flask, publish: Publish) -> None:
        relay = Relay(any_app, threading.Event())
        write(state_of(1), state_of(2), state_of(3), state_of(4, sip_call_id="x" * 300))
        publish("1@pbx", "x" * 255)
        publish("2@pbx", worker="other:5060")
        relay.look()
        assert status_of(3) == "in-progress"
        relay.look()
        assert [status_of(number) for number in (1, 2, 3, 4)] == ["in-progress"] * 2 + ["failed", "in-progress"]
        row = calls.get(sid_of(3))
        assert (row.error, row.ended_at is not None) == (broken_off.BROKEN_OFF, True)

    def test_one_that_shows_up_again_goes_on(self, any_app: Flask, publish: Publish) -> None:
        relay = Relay(any_app, threading.Event())
        write(state_of(1))
        relay.look()
        publish("1@pbx")
        relay.look()
        publish()
        relay.look()
        assert status_of(1) == "in-progress"

    def test_what_its_worker_writes_later_counts(self, any_app: Flask, publish: Publish) -> None:
        state = state_of(1)
        write(state)
        assert broken_off.close([state.sid]) == 1
        write(replace(state, status="completed", ended_at=utc_now().isoformat()))
        assert (status_of(1), calls.get(state.sid).error) == ("completed", "")
        assert broken_off.close([state.sid]) == 0

    def test_where_a_worker_lists_not_all_of_its_calls_nobody_is_suspected(
        self, any_app: Flask, publish: Publish
    ) -> None:
        write(state_of(1))
        publish("2@pbx", total=501)
        assert not broken_off.suspects()
        publish("2@pbx")
        assert broken_off.suspects() == {sid_of(1)}

    def test_nor_while_redis_is_away(self, any_app: Flask) -> None:
        settings = any_app.extensions["settings"]
        any_app.extensions["settings"] = replace(settings, redis_url="redis://127.0.0.1:1/0")
        write(state_of(1))
        assert not broken_off.suspects()

    def test_a_simulated_call_whose_job_is_over(self, any_app: Flask, publish: Publish) -> None:
        long_ago = (utc_now() - timedelta(minutes=10)).isoformat()
        for number, when in ((1, long_ago), (2, long_ago), (3, utc_now().isoformat())):
            write(state_of(number, sip_call_id="", simulated=True, started_at=when))
        # The second waits for its job.
        write(line_of(1), line_of(3))
        assert broken_off.suspects() == {sid_of(1)}


class TestSweep:
    def test_calls_of_which_nothing_was_told_for_a_day(self, any_app: Flask) -> None:
        old = (utc_now() - timedelta(days=2)).isoformat()
        write(state_of(1, started_at=old), state_of(2, started_at=old), line_of(2), state_of(3))
        assert broken_off.close_forgotten() == 1
        assert [status_of(number) for number in (1, 2, 3)] == ["failed", "in-progress", "in-progress"]
