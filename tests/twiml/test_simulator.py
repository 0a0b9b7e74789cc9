"""Simulated calls: the real interpreter, real requests to a server beside us, a scripted caller, a clock that skips."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from app.models import Call
from app.services import caller_script, calls, mailboxes, numbers, recordings
from app.services.calls import StepFacts
from app.services.numbers import Details
from tests.support import make_settings
from tests.twiml.scripts import Scripts, running_scripts
from voice.jobs import simulate_call
from voice.twiml import simulation


@pytest.fixture
def scripts() -> Iterator[Scripts]:
    with running_scripts() as server:
        yield server


@pytest.fixture
def call(app: Flask, scripts: Scripts) -> Callable[..., tuple[Call, list[StepFacts]]]:
    """call(acts, speaks=False, **Details): simulate a call to a new number; its row and its trace."""
    settings = make_settings(
        app.extensions["settings"].instance, VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS="127.0.0.0/8"
    )

    def act(text: str = "", speaks: bool = False, **details: str) -> tuple[Call, list[StepFacts]]:
        with app.app_context():
            number = Details(**{"number": "5551234", "voice_url": f"{scripts.url}/voice", **details})
            number_id = numbers.create(number, actor="test").id
        sid = f"CA{uuid4().hex}"
        wanted = simulation.Wanted(number_id, sid, "+15550001", "", caller_script.parse(text), speaks)
        simulation.simulate(settings, wanted)
        with app.app_context():
            return calls.get(sid), calls.steps(sid)

    return act


def verbs(steps: list[StepFacts]) -> list[tuple[str, str]]:
    """What was done, and how it ended."""
    return [(step.what, step.outcome) for step in steps if step.kind == "verb"]


MENU = """<Response>
  <Gather numDigits="1" timeout="5" action="/menu"><Pause length="3"/></Gather>
  <Redirect>/voice</Redirect>
</Response>"""


class TestCalls:
    def test_keys_lead_through_a_menu(self, scripts: Scripts, call: Callable[..., Any]) -> None:
        scripts.answers["/voice"] = MENU
        scripts.answers["/menu"] = lambda asked: (
            '<Response><Gather action="/code"/></Response>' if asked["Digits"] == "2" else "<Response/>"
        )
        scripts.answers["/code"] = "<Response><Pause length='60'/></Response>"
        began = time.monotonic()
        row, steps = call("2 pause 2 4711#")
        assert [path for path, _ in scripts.asked] == ["/voice", "/menu", "/code"]
        assert scripts.asked[0][1]["From"] == "+15550001"
        assert scripts.asked[2][1]["Digits"] == "4711"
        assert (row.status, row.simulated, row.error_code) == ("completed", True, None)
        assert [name for name, _ in verbs(steps)] == ["Gather", "Pause", "Gather", "Pause"]
        # More than a minute of the call's time, and little of ours.
        assert row.ended_at is not None
        assert (row.ended_at - row.started_at).total_seconds() > 65
        assert time.monotonic() - began < 50
        gather = steps[next(n for n, step in enumerate(steps) if step.what == "Gather")]
        assert gather.seconds == pytest.approx(3, abs=1.5)
        assert [step.at for step in steps] == sorted(step.at for step in steps)

    def test_who_types_nothing_comes_by_again(self, scripts: Scripts, call: Callable[..., Any]) -> None:
        scripts.answers["/voice"] = MENU
        row, steps = call("pause 30 hangup")
        assert row.status == "completed"
        assert len(scripts.asked) >= 3
        assert ("Gather", "caller hung up") in verbs(steps)
        assert row.ended_at is not None
        assert (row.ended_at - row.started_at).total_seconds() == pytest.approx(30, abs=1)

    @pytest.mark.parametrize(("speaks", "text"), [(True, ""), (True, "#"), (False, "")])
    def test_recordings_are_made(
        self, app: Flask, scripts: Scripts, call: Callable[..., Any], speaks: bool, text: str
    ) -> None:
        scripts.answers["/voice"] = "<Response><Record action='/done' timeout='4'/></Response>"
        scripts.answers["/done"] = "<Response><Hangup/></Response>"
        row, steps = call(text, speaks)
        assert row.status == "completed"
        if not speaks:
            assert [path for path, _ in scripts.asked] == ["/voice"]
            assert "nothing was recorded" in verbs(steps)[0][1]
            return
        done = scripts.asked[1][1]
        assert done["Digits"] == text
        with app.app_context():
            (kept,) = recordings.of_call(row.sid)
            assert done["RecordingSid"] == kept.sid
            assert kept.duration is not None
            assert kept.duration > 1

    def test_a_hang_up_while_recording_is_told(self, scripts: Scripts, call: Callable[..., Any]) -> None:
        scripts.answers["/voice"] = "<Response><Record action='/done'/></Response>"
        scripts.answers["/done"] = "<Response/>"
        row, _ = call("pause 3 hangup", True)
        assert row.status == "completed"
        assert scripts.asked[1][1]["Digits"] == "hangup"

    def test_no_mailbox_gets_a_message(self, app: Flask, scripts: Scripts, call: Callable[..., Any]) -> None:
        with app.app_context():
            mailboxes.create("1001", pin="4711", actor="test")
        scripts.answers["/voice"] = (
            '<Response xmlns:v="urn:voicemail-pro:1"><v:Voicemail mailbox="1001" reason="busy"/></Response>'
        )
        _, steps = call("", True)
        assert verbs(steps) == [("Voicemail", f"mailbox 1001: {simulation.NO_MESSAGE.ended_by}")]

    def test_what_goes_wrong_is_said(self, scripts: Scripts, call: Callable[..., Any]) -> None:
        scripts.answers["/voice"] = "<Response>\n<Pause></Response>"
        row, steps = call(status_callback=f"{scripts.url}/over")
        assert row.error_code == 12100
        # The callback of its end is waited for, and stands in the trace.
        assert [path for path, _ in scripts.asked] == ["/voice", "/over"]
        assert any(step.kind == "request" and "/over" in step.what for step in steps)

    def test_documents_without_end_come_to_one(
        self, scripts: Scripts, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scripts.answers["/voice"] = "<Response><Redirect>/voice</Redirect></Response>"
        row, _ = call()
        assert row.error_code
        assert len(scripts.asked) <= 51
        monkeypatch.setattr(simulation, "MOST_SECONDS", 0.5)
        scripts.answers["/voice"] = "<Response><Gather timeout='1'/><Redirect>/voice</Redirect></Response>"
        row, steps = call(number="5551235")
        assert row.status == "completed"
        assert len(steps) <= 501
        # Nor does the caller stay for ever.
        monkeypatch.setattr(simulation, "MOST_SECONDS", 60.0)
        scripts.answers["/voice"] = "<Response><Play digits='1' loop='0'/></Response>"
        row, steps = call("1", number="5551236")
        assert verbs(steps)[-1][1] == "caller hung up"
        assert row.ended_at is not None
        assert (row.ended_at - row.started_at).total_seconds() == pytest.approx(600, abs=2)

    def test_a_call_that_is_rejected(self, scripts: Scripts, call: Callable[..., Any]) -> None:
        scripts.answers["/voice"] = "<Response><Reject reason='busy'/></Response>"
        assert call()[0].status == "busy"


class TestJob:
    def test_a_number_that_is_gone(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("voice.jobs.load_settings", lambda: app.extensions["settings"])
        wanted = {
            "number_id": str(uuid4()),
            "sid": "CA" + "0" * 32,
            "caller": "",
            "dialled": "",
            "acts": [],
            "speaks": 1,
        }
        assert simulate_call(wanted) == {"ok": False, "detail": "The number is gone."}

    def test_a_fault_of_ours_ends_the_call_as_failed(
        self, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(simulation, "run_script", broken)
        row, _ = call()
        assert (row.status, row.error) == ("failed", "The simulator failed, its log says why: ZeroDivisionError.")
