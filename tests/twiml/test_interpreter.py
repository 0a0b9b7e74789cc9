"""A programmed call as a whole: requests, the order of its states, the fallback, apologies, the trace."""

from __future__ import annotations

import math
import re
import threading
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.support import until
from tests.twiml.programme import ACCOUNT, CANCELLED, HUNG_UP, Programme
from tests.twiml.test_verbs_heard import END
from voice.call import PROGRAMMED, RINGING
from voice.events import Digit, Ended, PlaybackDone
from voice.twiml import interpreter


def broken(*_: Any) -> None:
    """A verb with a fault of ours."""
    raise ZeroDivisionError("something of ours")


class TestRequests:
    def test_what_every_request_carries(self, programme: Programme) -> None:
        """CallSid, AccountSid, From, To, Caller, Called, CallStatus, ApiVersion, Direction; ringing at first."""
        programme.call("<Hangup/>")
        (asked,) = programme.site.asked
        sid = asked["CallSid"]
        assert re.fullmatch(r"CA[0-9a-f]{32}", sid)
        assert asked.form == {
            "CallSid": sid,
            "AccountSid": ACCOUNT.sid,
            "From": "+4930123",
            "To": "5551234",
            "Caller": "+4930123",
            "Called": "5551234",
            "CallStatus": "ringing",
            "ApiVersion": "2010-04-01",
            "Direction": "inbound",
            "CallerName": "Bob",
            "SipCallId": "call@pbx",
        }
        assert programme.ledger.states[0].sid == sid

    def test_what_it_carries_where_it_is_known(self, programme: Programme) -> None:
        """ForwardedFrom, CallerName, and SipHeader_X-... for each header of the INVITE that begins with X-."""
        programme.facts = replace(
            programme.facts, caller_name="", forwarded_from="1001", x_headers=(("X-Account", "42"), ("x-b", "ü"))
        )
        programme.call("<Hangup/>")
        (asked,) = programme.site.asked
        assert (asked["ForwardedFrom"], asked["SipHeader_X-Account"], asked["SipHeader_x-b"]) == ("1001", "42", "ü")
        assert "CallerName" not in asked

    def test_by_get(self, programme: Programme) -> None:
        """voice_method GET: the parameters join the query."""
        programme.script = replace(programme.script, voice_method="GET", voice_url=f"{programme.site.base}/voice?a=1")
        programme.call("<Hangup/>")
        (asked,) = programme.site.asked
        assert (asked.method, asked.query["a"], asked.query["CallStatus"]) == ("GET", "1", "ringing")

    def test_relative_urls_after_a_redirect(self, programme: Programme) -> None:
        """A relative URL is relative to where the document came from in the end."""
        programme.site.serve("/voice", status=302, headers={"Location": "/deep/down"}, body=b"")
        programme.site.serve("/deep/down", "<Redirect>up</Redirect>")
        programme.site.serve("/deep/up")
        programme.call()
        assert [asked.path for asked in programme.site.asked] == ["/voice", "/deep/down", "/deep/up"]


class TestStatusCallback:
    @pytest.fixture(autouse=True)
    def wanted(self, programme: Programme) -> None:
        programme.script = replace(programme.script, status_callback=f"{programme.site.base}/status")
        programme.site.serve("/status")

    def test_the_end_of_a_call(self, programme: Programme) -> None:
        """completed, with CallDuration, Duration in minutes, Timestamp, SequenceNumber, CallbackSource."""
        programme.call("<Say>Hello</Say>")
        asked = programme.status_callback()
        assert (asked["CallStatus"], asked["SequenceNumber"]) == ("completed", "0")
        assert int(asked["Duration"]) == math.ceil(int(asked["CallDuration"]) / 60)
        assert asked["CallbackSource"] == "call-progress-events"
        assert asked["CallSid"] == programme.site.asked[0]["CallSid"]
        assert parsedate_to_datetime(asked["Timestamp"]).tzinfo is not None
        until(lambda: programme.ledger.of("request")[-1].what.endswith("/status"), 10, "the callback in the trace")

    @pytest.mark.parametrize(
        ("reason", "status"),
        [("cancelled", "canceled"), ("caller hung up", "canceled"), ("we hung up", "no-answer"), ("error", "failed")],
    )
    def test_a_call_that_ends_before_the_answer(self, programme: Programme, reason: str, status: str) -> None:
        """A slow voice URL: the caller hears ringing, and may give up; the end is told at once."""
        gone, released = programme.dialled(), threading.Event()
        programme.site.serve(
            "/voice", "<Say>never</Say>", meanwhile=lambda: (gone.post(Ended(reason)), released.wait(20))
        )
        programme.run(gone)
        assert programme.ended_by == reason
        assert programme.ledger.statuses == ["ringing", status]
        assert programme.status_callback()["CallStatus"] == status, "though the server still has the request"
        released.set()

    def test_a_call_that_cannot_be_answered(self, programme: Programme) -> None:
        """The caller gave up in the very moment of the answer."""
        programme.call("<Say>never</Say>", answers=False)
        assert programme.ledger.statuses == ["ringing", "canceled"]
        assert programme.status_callback()["CallStatus"] == "canceled"
        assert programme.heard == []


class TestFallback:
    @pytest.fixture(autouse=True)
    def wanted(self, programme: Programme) -> None:
        programme.script = replace(programme.script, fallback_url=f"{programme.site.base}/fallback")
        programme.site.serve("/fallback", "<Say>Fallback</Say>")

    @pytest.mark.parametrize(
        ("page", "code"),
        [
            ({"status": 500}, 11217),
            ({"status": 404, "kind": "text/html"}, 11217),
            ({"body": b"<Response><Say>"}, 12100),
            ({"body": b"<html><body>Hello</body></html>", "kind": "text/html"}, 12102),
            ({"body": b'{"say": "hello"}', "kind": "application/json"}, 12300),
            ({"body": b""}, 11770),
            ({"body": b"<Response>" + b" " * 70_000 + b"</Response>"}, 11750),
            ({"body": b'<!DOCTYPE a [<!ENTITY b "c">]><Response><Say>&b;</Say></Response>'}, 12100),
            ({"status": 301, "headers": {"Location": "http://192.168.77.77/"}}, 11210),
        ],
    )
    def test_a_failing_request_goes_to_the_fallback(
        self, programme: Programme, page: dict[str, Any], code: int
    ) -> None:
        """With ErrorCode and ErrorUrl."""
        programme.site.serve("/voice", **page)
        programme.call()
        (asked,) = programme.site.of("/fallback")
        assert (asked["ErrorCode"], asked["ErrorUrl"]) == (str(code), f"{programme.site.base}/voice")
        assert programme.heard == ["Fallback", END]
        assert programme.ledger.states[-1].error_code == code
        assert programme.ledger.statuses[-1] == "completed"
        assert any("The fallback URL is asked." in line.what for line in programme.ledger.of("notice"))

    def test_a_sound_that_fails_goes_to_the_fallback(self, programme: Programme) -> None:
        """A document that cannot be carried out has failed as well."""
        programme.call("<Say>One</Say><Play>/nowhere.wav</Play><Say>never</Say>")
        (asked,) = programme.site.of("/fallback")
        assert (asked["ErrorCode"], asked["ErrorUrl"]) == ("11217", f"{programme.site.base}/nowhere.wav")
        assert programme.heard == ["One", "Fallback", END]

    def test_an_action_that_fails_goes_to_the_fallback(self, programme: Programme) -> None:
        """At any time of the call."""
        programme.call('<Gather action="/nowhere" numDigits="1"/>', keys="1")
        assert programme.heard == ["Fallback", END]

    def test_a_fault_of_ours_goes_to_the_fallback(
        self, programme: Programme, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Another document may do without what failed. The fault is counted, and told in the log, all the same."""
        monkeypatch.setitem(interpreter.ACTIONS, "Pause", broken)
        programme.call("<Say>One</Say><Pause/>")
        (asked,) = programme.site.of("/fallback")
        assert (asked["ErrorCode"], asked["ErrorUrl"]) == ("12400", f"{programme.site.base}/voice")
        assert programme.heard == ["One", "Fallback", END]
        assert programme.faults == 1
        assert "ZeroDivisionError: something of ours" in caplog.text

    def test_method(self, programme: Programme) -> None:
        """fallback_method."""
        programme.script = replace(programme.script, fallback_method="GET")
        programme.site.serve("/voice", status=500)
        programme.call()
        assert programme.site.of("/fallback")[0].method == "GET"

    def test_a_fallback_that_fails_ends_with_an_apology(self, programme: Programme) -> None:
        """It is asked once."""
        programme.script = replace(programme.script, fallback_url=f"{programme.site.base}/nowhere")
        programme.site.serve("/voice", status=500)
        programme.call()
        assert len(programme.site.of("/nowhere")) == 1
        assert programme.heard == ["<application_error en>", END]

    def test_a_fallback_whose_document_fails_ends_with_an_apology(self, programme: Programme) -> None:
        """And does not lead to itself."""
        programme.script = replace(programme.script, fallback_url=f"{programme.site.base}/broken")
        programme.site.serve("/broken", "<Say>Sorry</Say><Play>/nowhere.wav</Play>")
        programme.site.serve("/voice", status=500)
        programme.call()
        assert programme.heard == ["Sorry", "<application_error en>", END]

    def test_it_comes_after_a_loop_as_well(self, programme: Programme) -> None:
        """Documents that lead to each other without end have failed."""
        programme.most_documents = 5
        programme.call("<Redirect/>")
        assert programme.site.of("/fallback")[0]["ErrorCode"] == "11215"
        assert programme.heard == ["Fallback", END]

    def test_a_fallback_that_leads_back_to_what_fails_has_an_end(self, programme: Programme) -> None:
        """However often it is asked."""
        programme.script = replace(programme.script, fallback_url=f"{programme.site.base}/back")
        programme.site.serve("/back", "<Say>Again</Say><Redirect>/voice</Redirect>")
        programme.call("<Redirect>/nowhere</Redirect>")
        assert programme.heard == ["Again"] * 10 + ["<application_error en>", END]


class TestApology:
    @pytest.mark.parametrize(
        "page", [{"status": 500}, {"body": b"no XML"}, {"status": 301, "headers": {"Location": "ftp://a"}}]
    )
    def test_without_a_fallback_the_caller_hears_it(self, programme: Programme, page: dict[str, Any]) -> None:
        """In the number's language; then the call ends cleanly, and is completed."""
        programme.script = replace(programme.script, language="fr")
        programme.site.serve("/voice", **page)
        outcome = programme.call()
        assert programme.heard == ["<application_error fr>", END]
        assert programme.leg.hung_up
        assert programme.ledger.statuses == ["ringing", "in-progress", "completed"]
        assert outcome
        assert outcome.ended_by == "error"
        assert programme.ledger.states[-1].error

    @pytest.mark.parametrize("url", ["not a URL", "ftp://example.com/", "http://", "", "http://[::1/", "http://a b/"])
    def test_a_number_whose_url_is_not_a_url(self, programme: Programme, url: str) -> None:
        programme.script = replace(programme.script, voice_url=url)
        programme.call()
        assert programme.heard == ["<application_error en>", END]
        assert programme.ledger.states[-1].error_code == 11100

    @pytest.mark.parametrize(
        "url", ["http://[::1/", "ftp://example.com/a", "javascript:alert(1)", "file:///etc/passwd"]
    )
    @pytest.mark.parametrize(
        "verbs", ["<Redirect>{url}</Redirect>", "<Play>{url}</Play>", '<Gather action="{url}" numDigits="1"/>']
    )
    def test_a_document_that_names_what_is_no_url(self, programme: Programme, url: str, verbs: str) -> None:
        programme.call(verbs.format(url=url), keys="1")
        assert programme.heard == ["<application_error en>", END]
        assert programme.ledger.states[-1].error_code == 11100

    def test_the_trace_says_what_was_wrong_where_and_what_the_caller_hears(
        self, programme: Programme, caplog: pytest.LogCaptureFixture
    ) -> None:
        programme.site.serve("/voice", body=b"<Response>\n  <Say>Q & A</Say>\n</Response>")
        programme.call()
        (problem,) = programme.ledger.of("notice")
        assert problem.what.endswith("A bare & is written &amp;. The caller hears an apology.")
        assert (problem.detail["code"], problem.detail["line"], problem.detail["column"]) == (12100, 2, 11)
        assert "error=12100" in caplog.text

    def test_a_verb_that_failed_is_marked(self, programme: Programme) -> None:
        programme.call('<Voicemail mailbox="1999"/>')
        line = programme.ledger.of("verb")[-1]
        assert line.detail["error"] == line.outcome == "There is no mailbox 1999."

    def test_a_server_that_is_not_there(self, programme: Programme) -> None:
        programme.script = replace(programme.script, voice_url="http://127.0.0.1:9/voice")
        programme.call()
        assert programme.heard == ["<application_error en>", END]
        assert programme.ledger.states[-1].error_code == 11205

    def test_a_fault_of_ours(self, programme: Programme, monkeypatch: pytest.MonkeyPatch) -> None:
        """The caller hears the apology, the log has the traceback, the trace a sentence."""
        monkeypatch.setitem(interpreter.ACTIONS, "Pause", broken)
        programme.call("<Say>One</Say><Pause/>")
        assert programme.heard == ["One", "<application_error en>", END]
        assert programme.faults == 1
        assert programme.ledger.statuses[-1] == "completed"
        assert "ZeroDivisionError" in programme.ledger.states[-1].error
        assert "something of ours" not in programme.ledger.states[-1].error
        assert programme.ledger.outcome("Pause") == "failed"

    def test_who_hangs_up_in_the_apology(self, programme: Programme) -> None:
        programme.site.serve("/voice", status=500)
        programme.call(on_play={1: (HUNG_UP,)})
        assert programme.ended_by == "caller hung up"
        assert programme.ledger.statuses[-1] == "completed"

    def test_documents_without_end(self, programme: Programme, monkeypatch: pytest.MonkeyPatch) -> None:
        """However much the caller hears, there is an end."""
        monkeypatch.setattr(interpreter, "MOST_IN_ALL", 30)
        programme.call("<Say>a</Say><Redirect/>")
        assert programme.heard == ["a"] * 30 + ["<application_error en>", END]
        assert programme.ledger.states[-1].error_code == 11215


class TestMailboxesOwnScript:
    @pytest.mark.parametrize("page", [{"status": 500}, {"body": b"no XML"}])
    def test_where_it_fails_the_mailbox_answers_itself(self, programme: Programme, page: dict[str, Any]) -> None:
        """No message is lost for a script that fails: greeting and recording run, not the apology."""
        programme.site.serve("/voice", **page)
        outcome = programme.run(programme.dialled(), programme.mailboxes["1001"])
        assert programme.left == [("1001", "")]
        assert programme.heard == []
        assert outcome
        assert outcome.message == "take-1"
        assert programme.ledger.states[-1].error

    def test_its_fallback_comes_first(self, programme: Programme) -> None:
        programme.script = replace(programme.script, fallback_url=f"{programme.site.base}/fallback")
        programme.site.serve("/voice", status=500)
        programme.site.serve("/fallback", "<Say>Fallback</Say>")
        programme.run(programme.dialled(), programme.mailboxes["1001"])
        assert (programme.heard, programme.left) == (["Fallback", END], [])

    def test_in_the_midst_of_it(self, programme: Programme) -> None:
        programme.site.serve("/voice", "<Say>Hello</Say><Redirect>/nowhere</Redirect>")
        programme.run(programme.dialled(), programme.mailboxes["1001"])
        assert (programme.heard, programme.left) == (["Hello"], [("1001", "")])


class TestTrace:
    def test_lines_in_order_with_their_outcome(self, programme: Programme) -> None:
        """Each request, each notice with its place, each verb with start, end and outcome."""
        programme.call('<Say>One</Say>\n<Sya>x</Sya><Gather numDigits="x"><Say>Two</Say></Gather>')
        lines = [entries[-1] for _, entries in sorted(programme.ledger.lines.items())]
        assert [(line.kind, line.what) for line in lines] == [
            ("call", "ringing"),
            ("request", f"POST {programme.site.base}/voice"),
            ("notice", "<Sya> is no verb, and is left out. Did you mean Say?"),
            ("notice", "<Gather>: numDigits=“x” has to be a whole number from 1 to 1000; no limit is taken."),
            ("verb", "Say"),
            ("call", "in-progress"),
            ("verb", "Gather"),
            ("verb", "Say"),
            ("call", "completed"),
        ]
        assert [line.position for line in lines] == list(range(9))
        assert lines[1].outcome == "200 text/xml"
        assert lines[1].seconds is not None
        assert lines[1].detail["status"] == 200
        assert ["CallStatus", "ringing"] in lines[1].detail["parameters"]
        assert (lines[2].detail["line"], lines[2].detail["column"]) == (2, 1)
        assert lines[4].detail["text"] == "One"
        assert lines[6].detail["attributes"]["timeout"] == 5

    def test_a_verb_is_written_at_its_start_and_again_at_its_end(self, programme: Programme) -> None:
        programme.call("<Say>One</Say>")
        began, ended = next(entries for entries in programme.ledger.lines.values() if entries[0].kind == "verb")
        assert (began.outcome, began.seconds) == ("", None)
        assert (ended.outcome, ended.position, ended.at) == ("done", began.position, began.at)
        assert ended.seconds is not None

    def test_a_request_that_failed_is_there(self, programme: Programme) -> None:
        programme.site.serve("/voice", status=500, body=b"Internal error", kind="text/plain")
        programme.call()
        (line,) = programme.ledger.of("request")
        assert (line.outcome, line.detail["status"], line.detail["body"]) == ("500 text/plain", 500, "Internal error")

    def test_a_request_whose_caller_has_gone_is_there_as_well(self, programme: Programme) -> None:
        call = programme.dialled()
        programme.site.serve("/voice", "<Say>never</Say>", meanwhile=lambda: call.post(CANCELLED))
        programme.run(call)
        until(lambda: programme.ledger.of("request"), 10, "the request in the trace")

    def test_the_rows_of_a_call(self, programme: Programme) -> None:
        """At its start, its answer and its end."""
        programme.call("<Say>One</Say>")
        first, answered, last = programme.ledger.states
        assert (first.status, first.caller, first.called, first.number_id) == (
            "ringing", "+4930123", "5551234", "number-1",
        )  # fmt: skip
        assert (first.sip_call_id, first.simulated, first.answered_at) == ("call@pbx", False, "")
        assert first.started_at <= answered.answered_at <= last.ended_at
        assert (last.status, last.answered_at, last.error) == ("completed", answered.answered_at, "")


def test_the_portal_sees_a_programmed_call(programme: Programme) -> None:
    """It rings until something is heard."""
    states: list[str] = []
    programme.site.serve("/voice", "<Pause/><Say>One</Say>")
    call = programme.dialled()
    call.on_state = lambda call: states.append(call.state)
    assert call.state == RINGING
    programme.run(call)
    assert states == [PROGRAMMED]


def test_keys_and_the_end_of_a_sound_are_not_lost_while_a_server_is_slow(programme: Programme) -> None:
    """What was typed during the request is there when the next Gather asks."""
    call = programme.dialled()

    def types() -> None:
        call.post(PlaybackDone(99))
        for key in "12":
            call.post(Digit(key))

    programme.site.serve("/voice", "<Say>a</Say><Redirect>/next</Redirect>")
    programme.site.serve("/next", '<Gather action="/last" numDigits="2"/>', meanwhile=types)
    programme.site.serve("/last")
    programme.run(call)
    assert programme.site.of("/last")[0]["Digits"] == "12"
