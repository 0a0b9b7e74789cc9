"""The examples of docs/examples, each run as a server and called by telephone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import httpx
import pytest
from flask import request

from app.account import account_of
from app.services import calls, numbers
from app.services.numbers import Details
from tests.peers.instance import Instance, VoiceWorker
from tests.peers.speech import speech
from tests.support import until
from tests.twiml.example import load, serving
from voice.caller import Caller
from voice.media import tones

pytestmark = [pytest.mark.peers, pytest.mark.slow]

PATIENCE = 60.0


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VoiceWorker]:
    """A voice worker that may ask servers on this machine; a mailbox 1001."""
    folder = tmp_path_factory.mktemp("examples")
    instance = Instance(folder, VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS="127.0.0.0/8")
    instance.mailbox("1001")
    process = VoiceWorker(instance)
    try:
        yield process.wait_ready()
    finally:
        process.stop()
    assert "Traceback" not in process.text(), process.text()[-6000:]


class Line:
    """A call to an example: the caller, and the requests that the example got."""

    def __init__(self, caller: Caller, asked: list[tuple[str, dict[str, str]]], instance: Instance, base: str) -> None:
        self.caller, self.asked, self.instance, self.base = caller, asked, instance, base

    def waits_for(self, path: str, times: int = 1, **form: str) -> None:
        """Listen until the example was asked for a path so often, with these parameters among the form."""

        def came() -> bool:
            return sum(asked == path and form.items() <= given.items() for asked, given in self.asked) >= times

        self.caller.wait(lambda: came() or self.caller.ended, PATIENCE)
        assert came(), f"{path} {form} was not asked for {times} times, but {self.asked}"

    def ends(self) -> list[str]:
        """Listen until the call is over; the verbs that ran, in their order, of its trace."""
        assert self.caller.wait(lambda: self.caller.ended, PATIENCE)
        until(self._completed, PATIENCE, "the call is completed")
        with self.instance.app.app_context():
            (call,), _ = calls.listing(limit=1)
            return [step.what for step in calls.steps(call.sid) if step.kind == "verb"]

    def _completed(self) -> bool:
        with self.instance.app.app_context():
            (call,), _ = calls.listing(limit=1)
            return call.status == "completed"


@contextmanager
def calling(worker: VoiceWorker, example: ModuleType, number: str) -> Iterator[Line]:
    """Serve an example, give it a number, and call that."""
    asked: list[tuple[str, dict[str, str]]] = []
    example.app.before_request(lambda: asked.append((request.path, request.form.to_dict())))
    with serving(example) as base:
        with worker.instance.app.app_context():
            numbers.create(Details(number=number, voice_url=f"{base}/voice"), actor="test")
        with Caller(worker.host, worker.port, "2001", "Ann") as caller:
            caller.dial(number)
            yield Line(caller, asked, worker.instance, base)


def test_after_hours(worker: VoiceWorker) -> None:
    """The menu interrupted by 1, the menu again, 0, and a message that is in the mailbox."""
    with calling(worker, load("after_hours"), "5550001") as line:
        line.waits_for("/voice", CallStatus="ringing")
        line.caller.press("1")
        line.waits_for("/chosen", Digits="1", CallStatus="in-progress")
        line.waits_for("/voice", times=2)
        line.caller.press("0")
        line.waits_for("/message")
        line.caller.wait_tone(tones.BEEP_HZ, PATIENCE, to_its_end=True)
        line.caller.speak(speech(2.0))
        line.caller.press("#")
        verbs = line.ends()
    assert worker.instance.message("1001").caller_number == "2001"
    assert verbs[-1] == "Voicemail"


def test_survey(worker: VoiceWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two answers, recorded after their tones; requests without the account's signature would be refused."""
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", account_of(worker.instance.settings).token)
    with calling(worker, load("survey"), "5550002") as line:
        for _ in range(2):
            line.caller.wait_tone(tones.BEEP_HZ, PATIENCE, to_its_end=True)
            line.caller.speak(speech(2.0))
            line.caller.press("5")
        line.ends()
        (recordings,) = httpx.get(f"{line.base}/answers").json().values()
    assert len(set(recordings)) == 2


def test_appointments(worker: VoiceWorker) -> None:
    """In Spanish, the third hour."""
    example = load("appointments")
    with calling(worker, example, "5550003") as line:
        line.caller.press("2")
        line.waits_for("/hours", Digits="2")
        line.caller.press("3")
        line.waits_for("/book", Digits="3")
        verbs = line.ends()
    assert example.taken == {"3": "2001"}
    assert verbs[-1] == "Say"
