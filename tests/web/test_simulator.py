"""The simulator in the portal: the form on a number's page, what is refused, what the voice side is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import pytest
import redis
from flask import Flask
from rq import Queue
from rq.serializers import JSONSerializer

from app import create_app
from app.config import Settings
from app.extensions import db
from app.models import Call
from app.services import caller_script, calls, numbers, trace_rows
from app.services.fields import Problem
from app.services.numbers import Details
from tests.web.browser import HTMX, Browser
from voice.twiml.simulation import wanted_of
from voice.twiml.trace import CallState


@pytest.fixture
def number_id(app: Flask) -> str:
    with app.app_context():
        details = Details(number="5551234", name="Shop", voice_url="http://127.0.0.1:5000/voice")
        return numbers.create(details, actor="test").id


@pytest.fixture
def page(number_id: str) -> str:
    return f"/console/voicemail/numbers/{number_id}"


class TestScript:
    @pytest.mark.parametrize(
        ("text", "acts"),
        [
            ("", []),
            ("1 pause 2 4711# hangup", [["keys", "1"], ["pause", 2.0], ["keys", "4711#"], ["hangup", None]]),
            ("\n  *a PAUSE 0.5\tHangUp ", [["keys", "*A"], ["pause", 0.5], ["hangup", None]]),
        ],
    )
    def test_what_the_caller_does(self, text: str, acts: list[Any]) -> None:
        assert caller_script.parse(text) == acts

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("1 2 x", "“x” is neither keys"),
            ("pause", "how many seconds"),
            ("pause 0", "“0” is none"),
            ("pause 601", "“601” is none"),
            ("pause nan", "“nan” is none"),
            ("pause ٣", "“٣” is none"),
            ("١", "is neither keys"),
            ("hangup 1", "Nothing can follow hangup; here “1” does"),
            ("1 " * 101, "at most 100 things"),
            ("1" * 65, "is neither keys"),
            ("1" * 501, "at most 500 characters"),
            ("\x00\u202e", "“\ufffd\ufffd”"),
        ],
    )
    def test_what_makes_no_sense(self, text: str, words: str) -> None:
        with pytest.raises(Problem, match=words):
            caller_script.parse(text)


class TestWithQueue:
    """Redis is there."""

    @pytest.fixture
    def app(self, settings: Settings, valkey: str) -> Iterator[Flask]:
        app = create_app(replace(settings, redis_url=valkey))
        yield app
        with app.app_context():
            db.engine.dispose()

    @pytest.fixture
    def jobs(self, app: Flask) -> Queue:
        settings: Settings = app.extensions["settings"]
        connection = redis.Redis.from_url(settings.redis_url)
        return Queue(f"voice.{settings.host_name}", connection=connection, serializer=JSONSerializer)

    def test_it_asks_the_voice_side_and_shows_the_trace(
        self, app: Flask, admin_browser: Browser, page: str, number_id: str, jobs: Queue
    ) -> None:
        answer = admin_browser.submit(page, f"{page}/simulate", {"acts": "1 hangup", "caller": "+4930"})
        assert answer.status_code == 303
        (job,) = jobs.jobs
        assert job.func_name == "voice.jobs.simulate_call"
        wanted = wanted_of(job.args[0])
        assert (wanted.number_id, wanted.caller, wanted.dialled, wanted.speaks) == (number_id, "+4930", "", True)
        assert wanted.acts == [["keys", "1"], ["hangup", None]]
        assert answer.location.endswith(wanted.sid)
        trace = admin_browser.get(answer.location).text
        for words in ("The simulator is about to start", "Simulated", "+4930", "5551234", "every 1s"):
            assert words in trace
        # The number's page lists it, with the time zone of the instance.
        assert wanted.sid in admin_browser.get(page).text
        assert wanted.sid in admin_browser.get(f"/console/voicemail/programmed-calls?number={number_id}").text

    def test_what_is_wrong_stands_beside_its_field(self, admin_browser: Browser, page: str, jobs: Queue) -> None:
        answer = admin_browser.submit(page, f"{page}/simulate", {"acts": "dance", "caller": "<b>"})
        assert answer.status_code == 422
        assert "“dance” is neither keys" in answer.text
        assert "A number is at most 40 letters" in answer.text
        assert "&lt;b&gt;" in answer.text
        assert not jobs.jobs

    def test_callers_of_the_catch_all_have_dialled_something(
        self, app: Flask, admin_browser: Browser, jobs: Queue
    ) -> None:
        with app.app_context():
            found = numbers.create(Details(number="*", voice_url="http://127.0.0.1:5000/"), actor="test").id
        page = f"/console/voicemail/numbers/{found}"
        admin_browser.submit(page, f"{page}/simulate", {"dialled": "77"})
        assert jobs.jobs[0].args[0]["dialled"] == "77"

    def test_with_htmx(self, admin_browser: Browser, page: str, jobs: Queue) -> None:
        answer = admin_browser.submit(page, f"{page}/simulate", headers=HTMX)
        assert jobs.jobs[0].args[0]["sid"] in answer.headers["HX-Redirect"]

    def test_only_for_admins(self, browser: Browser, page: str) -> None:
        assert "simulate" not in browser.get(page).text
        assert browser.get(f"{page}/simulate").status_code == 403
        token = browser.csrf_token()
        assert browser.client.post(f"{page}/simulate", data={"csrf_token": token}).status_code == 403


def test_without_the_queue_it_says_so(app: Flask, admin_browser: Browser, page: str) -> None:
    answer = admin_browser.submit(page, f"{page}/simulate")
    assert answer.status_code == 503
    assert "The job queue is away" in answer.text
    with app.app_context():
        assert db.session.query(Call).count() == 0


def test_an_unknown_number(admin_browser: Browser) -> None:
    page = "/console/voicemail/numbers/00000000-0000-4000-8000-000000000000/simulate"
    assert admin_browser.get(page).status_code == 404


def test_a_job_that_is_quicker_than_its_announcement(any_app: Flask) -> None:
    sid = "CA" + "0" * 32
    state = CallState(sid, "", "+4930", "5551234", "completed", "2026-11-26T10:00:00+00:00", simulated=True)
    trace_rows.write(trace_rows.told([asdict(state)], []))
    number = numbers.create(Details(number="5551234", voice_url="http://127.0.0.1:5000/"), actor="test")
    trace_rows.expect(sid, number_id=number.id, caller="x", called="y")
    assert (calls.get(sid).status, calls.get(sid).caller) == ("completed", "+4930")
    trace_rows.expect("CA" + "1" * 32, number_id=number.id, caller="x", called="y")
    assert calls.get("CA" + "1" * 32).status == "ringing"
