"""Live calls: the page, the API and /metrics, from what voice workers say in Redis."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis
from flask import Flask

from app import create_app
from app.config import Settings
from app.services import mailboxes, tokens, trace_rows, workers
from app.web.calls import STATE_WORDS
from tests.web.browser import HTMX, Browser

PAGE, API = "/console/voicemail/calls", "/api/voicemail/calls"
MARKUP = '<script>alert("x")</script>'
WORKER = {
    "host": "pbx",
    "sip_host": "0.0.0.0",
    "sip_port": 5060,
    "calls": 1,
    "states": {"recording": 1},
    "max_calls": 500,
    "state": "ready",
    "started_at": "2026-11-23T09:00:00+00:00",
    "registered": None,
    "counters": {"answered": 7, "rejected": {"404": 2, "503": 1}, "packets_lost": 5, "Strange name": 1, "new_one": 4},
}
CALL = {
    "id": 1,
    "call_id": "abc@pbx",
    "caller": "0301234567",
    "caller_name": "Carla",
    "extension": "1001",
    "mailbox_id": "box",
    "timezone": "Europe/Paris",
    "since": "2026-11-23T10:00:00+00:00",
    "state": "recording",
    "held": False,
    "received": 95,
    "lost": 5,
    "lost_there": None,
}


@pytest.fixture
def app(app: Flask, settings: Settings, valkey: str) -> Iterator[Flask]:
    """With a Redis that answers."""
    return create_app(replace(settings, redis_url=valkey))


@pytest.fixture
def publish(valkey: str) -> Iterator[Callable[..., None]]:
    """publish(calls, worker): what the keeper of the worker pbx:5060 writes."""
    with redis.Redis.from_url(valkey) as client:

        def write(*calls: Any, port: int = 5060, total: int | None = None, **worker: Any) -> None:
            board = {"total": len(calls) if total is None else total, "calls": calls}
            client.set(f"voicemail:worker:pbx:{port}", json.dumps({**WORKER, "sip_port": port, **worker}))
            client.set(f"voicemail:calls:pbx:{port}", json.dumps(board))

        yield write


def call(**changed: Any) -> dict[str, Any]:
    return {**CALL, **changed}


class TestPage:
    """GET /console/voicemail/calls."""

    def test_it_shows_calls_and_workers(self, browser: Browser, publish: Callable[..., None]) -> None:
        publish(call(), call(id=2, caller="", caller_name="", state="greeting", lost=0, held=True), max_calls=321)
        text = browser.get(PAGE).text
        for words in ("0301234567", "Carla", "Leaves a message", "Unknown caller", "On hold", "2 calls in progress"):
            assert words in text
        assert "5 of 100 packets from the caller lost" in text
        assert 'href="/console/voicemail/1001"' in text
        # In the time zone of the mailbox.
        assert "11:00:00 (Europe/Paris)" in text
        assert "1 of 321" in text
        assert "Takes calls" in text

    @pytest.mark.parametrize("state", workers.STATES)
    def test_every_state_has_its_words(self, browser: Browser, publish: Callable[..., None], state: str) -> None:
        publish(call(state=state))
        assert STATE_WORDS[state] in browser.get(PAGE).text

    def test_an_owner_who_has_not_said_yet_which_mailbox(self, browser: Browser, publish: Callable[..., None]) -> None:
        publish(call(state="logging in", extension="", mailbox_id="", timezone="UTC"))
        text = browser.get(PAGE).text
        assert "Logs in" in text
        assert 'id="to-' not in text

    def test_it_says_how_a_worker_is_registered(self, browser: Browser, publish: Callable[..., None]) -> None:
        state = {"registrar": "pbx.example", "state": "registered", "reason": "", "until": None, "next_try": None}
        publish(registered=state)
        publish(port=5062, registered="nonsense")
        text = browser.get(PAGE).text
        assert "with pbx.example" in text
        publish(registered=state | {"state": "refused", "reason": f"403 {MARKUP}"})
        text = browser.get(PAGE).text
        assert "refused" in text
        assert MARKUP not in text

    def test_the_navigation_leads_to_it(self, browser: Browser) -> None:
        assert f'href="{PAGE}"' in browser.get("/console/voicemail").text

    def test_a_programmed_call_leads_to_its_trace(
        self, app: Flask, browser: Browser, admin_browser: Browser, publish: Callable[..., None]
    ) -> None:
        sid, call_id = "CA" + "a" * 32, "abc\udcff@pbx"
        with app.app_context():
            state = {"sid": sid, "sip_call_id": call_id, "status": "in-progress", "started_at": CALL["since"]}
            trace_rows.write(trace_rows.told([state], []))
        publish(call(state="programmed", call_id=call_id), call(id=2, call_id="other"), call(id=3, call_id=None))
        assert admin_browser.get(PAGE).text.count(f'href="/console/voicemail/programmed-calls/{sid}"') == 1
        assert "programmed-calls" not in browser.get(PAGE).text

    def test_what_a_caller_sends_is_text(self, browser: Browser, publish: Callable[..., None]) -> None:
        publish(
            call(caller=MARKUP, caller_name="\ud800\u202e\x00", state=MARKUP, timezone="No/Where", extension=MARKUP)
        )
        page = browser.get(PAGE)
        assert page.status_code == 200
        assert MARKUP not in page.text
        assert "&lt;script&gt;" in page.text
        assert "\u202e" not in page.text

    @pytest.mark.parametrize(
        "row", [None, [], "x", {}, {"id": 1}, call(since="yesterday"), call(id="x"), call(received=None, since=7)]
    )
    def test_a_call_that_makes_no_sense_is_left_out(
        self, browser: Browser, publish: Callable[..., None], row: Any
    ) -> None:
        publish(row, call(caller="0307654321"))
        page = browser.get(PAGE)
        assert page.status_code == 200
        assert "0307654321" in page.text

    def test_values_that_make_no_sense_are_left_out(
        self, browser: Browser, publish: Callable[..., None], valkey: str
    ) -> None:
        publish(call(), started_at="never")
        with redis.Redis.from_url(valkey) as client:
            for number, value in enumerate((b"\xff", b"[]", b"{", b'"text"')):
                client.set(f"voicemail:worker:strange:{number}", value)
                client.set(f"voicemail:calls:strange:{number}", value)
        page = browser.get(PAGE)
        assert page.status_code == 200
        assert "0301234567" in page.text

    def test_more_calls_than_are_listed(self, browser: Browser, publish: Callable[..., None]) -> None:
        publish(call(), total=600)
        assert "600 calls in progress, the first 1 are shown" in browser.get(PAGE).text

    def test_no_calls(self, browser: Browser, publish: Callable[..., None]) -> None:
        publish(state="draining")
        text = browser.get(PAGE).text
        assert "No calls at the moment" in text
        assert "takes no new calls" in text

    def test_no_worker(self, browser: Browser) -> None:
        assert "No voice worker is alive" in browser.get(PAGE).text

    def test_htmx_gets_what_changed(self, browser: Browser, publish: Callable[..., None]) -> None:
        publish()
        page = browser.get(PAGE)
        version = re.search(r'id="calls-version" name="version" value="(\w+)"', page.text)
        assert version
        poll = f"{PAGE}?version={version[1]}"
        assert browser.get(poll, headers=HTMX).status_code == 204
        publish(call())
        changed = browser.get(poll, headers=HTMX)
        assert changed.status_code == 200
        assert "<html" not in changed.text
        assert "0301234567" in changed.text
        assert 'hx-swap-oob="true"' in changed.text


def test_redis_away_is_said(app: Flask, settings: Settings, browser: Browser) -> None:
    app.extensions["settings"] = replace(settings, redis_url="unix:///nonexistent")
    page = browser.get(PAGE)
    assert page.status_code == 200
    assert "Redis is away" in page.text
    answer = browser.get(API)
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "unavailable")
    assert "voicemail_workers" not in browser.get("/metrics").text


class TestApi:
    """GET /api/voicemail/calls."""

    def test_all_calls(self, browser: Browser, publish: Callable[..., None]) -> None:
        publish(call(id=2, since="2026-11-23T11:00:00+00:00"), call())
        answer = browser.get(API).json
        assert answer["total"] == 2
        assert [row["since"] for row in answer["calls"]] == ["2026-11-23T10:00:00+00:00", "2026-11-23T11:00:00+00:00"]
        assert answer["calls"][0] == {
            "id": "pbx:5060-1",
            "extension": "1001",
            "caller": "0301234567",
            "caller_name": "Carla",
            "state": "recording",
            "on_hold": False,
            "since": "2026-11-23T10:00:00+00:00",
            "packets_received": 95,
            "packets_lost": 5,
            "packets_lost_by_caller": None,
            "worker": "pbx:5060",
        }

    def test_a_token_of_one_mailbox_sees_its_calls_alone(self, app: Flask, publish: Callable[..., None]) -> None:
        with app.app_context():
            own = mailboxes.create("1002", pin="4711", actor="test").id
            token = tokens.create("narrow", extension="1002", actor="test")
        publish(call(), call(id=2, extension="1002", mailbox_id=own), total=900)
        headers = {"Authorization": f"Bearer {token}"}
        answer = app.test_client().get(API, headers=headers).json
        assert [row["extension"] for row in answer["calls"]] == ["1002"]
        # Nor how many others there are.
        assert answer["total"] == 1


def test_metrics_name_workers_and_no_callers(app: Flask, browser: Browser, publish: Callable[..., None]) -> None:
    publish(call())
    publish(call(id=9), port=5062, state="draining", calls=2, states={"greeting": 2})
    text = browser.get("/metrics").text
    for line in (
        "voicemail_workers 2.0",
        "voicemail_calls 3.0",
        'voicemail_worker_calls{state="recording",worker="pbx:5060"} 1.0',
        'voicemail_worker_calls{state="ringing",worker="pbx:5060"} 0.0',
        'voicemail_worker_calls{state="greeting",worker="pbx:5062"} 2.0',
        'voicemail_worker_ready{worker="pbx:5060"} 1.0',
        'voicemail_worker_ready{worker="pbx:5062"} 0.0',
        'voicemail_worker_answered_total{worker="pbx:5060"} 7.0',
        'voicemail_worker_rejected_total{status="404",worker="pbx:5060"} 2.0',
        'voicemail_worker_packets_lost_total{worker="pbx:5060"} 5.0',
        'voicemail_worker_new_one_total{worker="pbx:5060"} 4.0',
    ):
        assert line in text
    for line in (
        'voicemail_call_start_time_seconds{call="pbx:5060-1",state="recording",worker="pbx:5060"} 1.795428e+09',
        'voicemail_call_packets_received{call="pbx:5060-1",worker="pbx:5060"} 95.0',
        'voicemail_call_packets_lost{call="pbx:5060-1",worker="pbx:5060"} 5.0',
    ):
        assert line in text
    for secret in ("0301234567", "Carla", "Strange name", 'mailbox="'):
        assert secret not in text
