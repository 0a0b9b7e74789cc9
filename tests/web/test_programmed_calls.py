"""Programmed calls in the portal: the list, the trace of each, what hostile text does to them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.extensions import db
from app.models import Number
from app.services import trace_rows
from app.services.calls import StepFacts
from app.web import trace_view
from app.web.trace_view import offset_words, seconds_words, visible
from tests.web.browser import HTMX, Browser
from voice.twiml.trace import CALL, NOTICE, REQUEST, VERB, CallState, Entry

LIST = "/console/voicemail/programmed-calls"
SID = "CA" + "a" * 32
PAGE = f"{LIST}/{SID}"
START = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
MARKUP = '<script>alert("x")</script>'
DOCUMENT = '<Response>\n  <Say language="xx">Hello</Say>\n  <Dance/>\n</Response>'
STATE = CallState(SID, "", "+15551234", "1000", "in-progress", START.isoformat(), sip_call_id="a@b")

Write = Callable[..., None]


def entry(position: int, kind: str, what: str, **more: Any) -> Entry:
    """A line of the call's trace, so many seconds after its start as its position says."""
    return Entry(SID, position, kind, what, (START + timedelta(seconds=position)).isoformat(), **more)


TRACE = (
    entry(0, CALL, "ringing"),
    entry(
        1,
        REQUEST,
        "POST http://127.0.0.1:5000/voice?token=abc",
        seconds=0.032,
        detail={
            "parameters": (("CallSid", SID), ("From", "+15551234"), ("Password", "geheim")),
            "status": 200,
            "content_type": "text/xml",
            "body": DOCUMENT,
        },
    ),
    entry(2, NOTICE, "Dance is no verb.", detail={"code": 12200, "line": 3, "column": 3}),
    entry(
        3, VERB, "Say", outcome="played", seconds=1.5, detail={"line": 2, "text": "Hello", "attributes": {"loop": 1}}
    ),
    entry(4, VERB, "Gather", detail={"line": 9, "column": 2}),
)


@pytest.fixture
def write(app: Flask) -> Write:
    """write(states and entries): as the keeper does."""

    def act(*things: CallState | Entry) -> None:
        with app.app_context():
            states = [asdict(one) for one in things if isinstance(one, CallState)]
            trace_rows.write(trace_rows.told(states, [asdict(one) for one in things if isinstance(one, Entry)]))

    return act


class TestList:
    """GET /console/voicemail/programmed-calls."""

    def test_nothing_yet(self, admin_browser: Browser) -> None:
        assert "No programmed calls yet" in admin_browser.get(LIST).text

    def test_calls_with_what_went_wrong(self, admin_browser: Browser, write: Write) -> None:
        ended = (START + timedelta(seconds=75)).isoformat()
        write(STATE, replace(STATE, sid="CA" + "b" * 32, simulated=True, status="completed", ended_at=ended))
        write(replace(STATE, sid="CA" + "c" * 32, caller="", error_code=11200, error="No answer within 15 s."))
        text = admin_browser.get(LIST).text
        for words in ("Runs", "Completed", "1:15", "simulated", "11200: No answer within 15 s.", "Unknown caller"):
            assert words in text
        text = admin_browser.get(f"{LIST}?failed=1").text
        assert text.count('class="message"') == 1
        assert "11200" in text

    def test_of_one_number(self, app: Flask, admin_browser: Browser, write: Write) -> None:
        with app.app_context():
            row = Number(number="5551234", name="Shop", language="en", voice_url="http://127.0.0.1/")
            db.session.add(row)
            db.session.commit()
            number_id = row.id
        write(STATE, replace(STATE, sid="CA" + "b" * 32, number_id=number_id, called="5551234"))
        for wanted in (number_id, "5551234"):
            text = admin_browser.get(f"{LIST}?number={wanted}").text
            assert text.count('class="message"') == 1
            assert "to 5551234" in text
        assert "To Shop" in admin_browser.get(f"{LIST}?number={number_id}").text
        assert "Nothing here" in admin_browser.get(f"{LIST}?number=nobody").text

    def test_in_pages(self, admin_browser: Browser, write: Write) -> None:
        times = [(START + timedelta(seconds=n)).isoformat() for n in range(60)]
        write(*(replace(STATE, sid=f"CA{n:032x}", started_at=when, error_code=1) for n, when in enumerate(times)))
        first = admin_browser.get(f"{LIST}?failed=1").text
        assert first.count('class="message"') == 50
        following = re.search(r'rel="next" href="([^"]+)"', first)
        assert following
        second = admin_browser.get(following[1].replace("&amp;", "&")).text
        assert second.count('class="message"') == 10
        assert "Newest calls" in second
        assert admin_browser.get(f"{LIST}?cursor=nonsense").status_code == 422

    def test_it_renews_itself(self, admin_browser: Browser, write: Write) -> None:
        empty = admin_browser.get(LIST).text
        asked = re.search(r'id="poll-programmed-calls" hx-get="([^"]+)"', empty)
        shown = re.search(r'id="programmed-calls-version" name="version" value="([^"]+)"', empty)
        assert asked
        assert shown
        assert admin_browser.get(f"{asked[1]}?version={shown[1]}", headers=HTMX).status_code == 204
        write(STATE)
        fragment = admin_browser.get(f"{asked[1]}?version={shown[1]}", headers=HTMX).text
        assert "<html" not in fragment
        assert f'id="row-{SID}"' in fragment
        assert "Runs" in fragment
        renewed = re.search(r'id="programmed-calls-version" name="version" value="([^"]+)"', fragment)
        assert renewed
        write(replace(STATE, status="completed", ended_at=(START + timedelta(seconds=9)).isoformat()))
        assert "Completed" in admin_browser.get(f"{asked[1]}?version={renewed[1]}", headers=HTMX).text

    def test_its_filters_stay_while_it_renews_itself(self, admin_browser: Browser, write: Write) -> None:
        write(*(replace(STATE, sid=f"CA{n:032x}", error_code=1) for n in range(51)))
        page = admin_browser.get(f"{LIST}?number=1000&failed=1").text
        asked = re.search(r'id="poll-programmed-calls" hx-get="([^"]+)"', page)
        assert asked
        assert asked[1] == f"{LIST}?number=1000&amp;failed=1"
        fragment = admin_browser.get(asked[1].replace("&amp;", "&"), headers=HTMX).text
        following = re.search(r'rel="next" href="([^"]+)"', fragment)
        assert following
        assert "number=1000&amp;failed=1&amp;cursor=" in following[1]

    def test_only_for_admins(self, browser: Browser, stranger: Browser, write: Write) -> None:
        write(STATE)
        for url in (LIST, PAGE):
            assert browser.get(url).status_code == 403
            assert stranger.get(url).status_code == 302


class TestTrace:
    """GET /console/voicemail/programmed-calls/CA…."""

    def test_what_was_asked_answered_and_done(self, admin_browser: Browser, write: Write) -> None:
        write(STATE, *TRACE)
        text = admin_browser.get(PAGE).text
        for words in (
            "POST http://127.0.0.1:5000/voice?token=***",
            "status 200, text/xml",
            "32 ms",
            "3 parameters, signed",
            "Dance is no verb.",
            "line 3, column 3",
            "error 12200",
            "until 0:04.5, 1.5 s",
            "0:03.0",
            "“Hello”",
            "a@b",
        ):
            assert words in text
        assert "abc" not in text
        assert "geheim" not in text
        # Where the document was wrong: beside what is wrong, and in the document itself.
        assert len(re.findall(r'<i>3</i>   <span class="wrong">&lt;Dance/&gt;</span>', text)) == 2

    def test_what_failed_is_marked_and_empty_attributes_are_left_out(
        self, admin_browser: Browser, write: Write
    ) -> None:
        why = "There is no mailbox 1999."
        empty = {"mailbox": "1999", "reason": "", "finishOnKey": ""}
        detail = {"line": 1, "error": why, "attributes": empty}
        write(
            STATE,
            entry(0, VERB, "Voicemail", outcome=why, detail=detail),
            entry(1, NOTICE, "It failed.", detail={"code": 12200}),
            entry(2, CALL, "completed", outcome="key"),
        )
        text = re.sub(r"<[^>]*>", " ", admin_browser.get(PAGE).text)
        text = " ".join(text.split())
        assert text.count(why) == 1
        assert "It failed. error 12200" in text
        assert "mailbox 1999 finishOnKey empty" in text
        assert "reason" not in text
        assert "a key ended the message" in text
        assert 'class="badge urgent">Verb' in admin_browser.get(PAGE).text

    def test_a_running_call_renews_itself(self, admin_browser: Browser, write: Write) -> None:
        write(STATE, *TRACE)
        page = admin_browser.get(PAGE)
        assert "every 1s" in page.text
        assert 'http-equiv="refresh"' in page.text
        version = re.search(r'name="version" value="(\w+)"', page.text)
        assert version
        poll = f"{PAGE}?version={version[1]}"
        assert admin_browser.get(poll, headers=HTMX).status_code == 204
        write(replace(TRACE[4], outcome="nothing was typed", seconds=5))
        write(replace(STATE, status="completed", ended_at=(START + timedelta(seconds=9)).isoformat()))
        polled = admin_browser.get(poll, headers=HTMX)
        # With which htmx stops asking.
        assert polled.status_code == 286
        answer = polled.text
        assert "nothing was typed" in answer
        assert "Completed" in answer
        assert "<html" not in answer
        after = admin_browser.get(PAGE).text
        assert "every 1s" not in after
        assert 'http-equiv="refresh"' not in after

    def test_midnight_is_a_change(
        self, admin_browser: Browser, write: Write, clock: Callable[[datetime], None]
    ) -> None:
        write(STATE, *TRACE)
        clock(START)
        page = admin_browser.get(PAGE).text
        assert "Today 10:00" in page
        version = re.search(r'name="version" value="(\w+)"', page)
        assert version
        poll = f"{PAGE}?version={version[1]}"
        assert admin_browser.get(poll, headers=HTMX).status_code == 204
        clock(START + timedelta(hours=14))
        answer = admin_browser.get(poll, headers=HTMX)
        assert answer.status_code == 200
        assert "Yesterday 10:00" in answer.text

    def test_hostile_text_is_text(self, admin_browser: Browser, write: Write) -> None:
        bad = f"{MARKUP}\u202e\x1b[31m\x00\ud800"
        detail = {"parameters": [[bad, bad]], "body": bad, "error": bad, "content_type": bad, "status": 500, bad: bad}
        write(replace(STATE, caller=bad, called=bad, status=bad, error=bad, sip_call_id=bad))
        write(entry(0, bad, bad, outcome=bad), entry(1, REQUEST, bad, detail=detail))
        write(entry(2, VERB, bad, detail={"text": bad, "attributes": {bad: bad}, "line": 1, "column": 1}))
        for url in (LIST, PAGE):
            page = admin_browser.get(url)
            assert page.status_code == 200
            assert MARKUP not in page.text
            assert "&lt;script&gt;" in page.text
            assert "\u202e" not in page.text
            assert "\x1b" not in page.text

    @pytest.mark.parametrize(
        "detail",
        [
            {"parameters": 7, "attributes": 7, "body": 7, "status": "x", "line": "x", "text": 7, "error": []},
            {"parameters": [[1, 2, 3], "ab", None], "attributes": [[]], "line": True, "status": True},
            {"parameters": {"a": None}, "attributes": {"a": [1, True], "b": {"c": 1}}, "line": 1 << 50},
        ],
    )
    @pytest.mark.parametrize("kind", [REQUEST, NOTICE, VERB, CALL, ""])
    def test_details_of_another_version(self, admin_browser: Browser, write: Write, kind: str, detail: Any) -> None:
        write(STATE, entry(0, REQUEST, "x", detail={"body": DOCUMENT}), entry(1, kind, "y", detail=detail))
        assert admin_browser.get(PAGE).status_code == 200

    def test_a_trace_that_is_gone(self, admin_browser: Browser, write: Write) -> None:
        write(replace(STATE, status="completed"))
        assert "its trace is gone already" in admin_browser.get(PAGE).text
        assert admin_browser.get(f"{LIST}/CA{'f' * 32}").status_code == 404


def test_metrics_count_the_calls_of_a_day(admin_browser: Browser, write: Write) -> None:
    now = datetime.now(UTC).isoformat()
    write(STATE, replace(STATE, sid="CA" + "b" * 32, started_at=now, status="failed", error_code=11200))
    text = admin_browser.get("/metrics").text
    assert 'voicemail_programmed_calls_of_day{problem="yes",status="failed"} 1.0' in text
    assert 'status="in-progress"' not in text


class TestWords:
    def test_times(self) -> None:
        assert [offset_words(x) for x in (-1, 0, 9.96, 61.25, 3600)] == [
            "0:00.0",
            "0:00.0",
            "0:10.0",
            "1:01.2",
            "60:00.0",
        ]
        assert [seconds_words(x) for x in (0.0, 0.0123, 1, 61.26)] == ["0 ms", "12 ms", "1.0 s", "61.3 s"]

    def test_what_can_be_shown(self) -> None:
        assert visible("a\tb\n\u202e\x07é😀") == "a\tb\n\ufffd\ufffdé😀"

    def test_a_line_with_two_faults_is_marked_from_the_first(self) -> None:
        body = {"body": "<Response><A/><B/></Response>"}
        notices = [entry(n, NOTICE, "x", detail={"line": 1, "column": column}) for n, column in ((1, 15), (2, 11))]
        told = trace_rows.told([], [asdict(one) for one in (entry(0, REQUEST, "x", detail=body), *notices)])
        steps = [
            StepFacts(row["position"], row["kind"], "x", "", START, None, json.loads(row["detail"]))
            for row in told.steps.values()
        ]
        document, first, second = trace_view.lines(steps, START, over=True)
        assert [one.wrong for one in document.source] == ["<A/><B/></Response>"]
        assert first.excerpt == trace_view.Source(1, "<Response><A/>", "<B/></Response>")
        assert second.excerpt == document.source[0]

    def test_a_document_of_many_lines(self) -> None:
        step = trace_rows.told([], [asdict(entry(0, REQUEST, "x", detail={"body": "\n" * 3000}))])
        assert step.steps
        many = trace_view._source("x\r\n" * 3000)
        assert (len(many), many[0].text) == (trace_view.MOST_LINES, "x")
