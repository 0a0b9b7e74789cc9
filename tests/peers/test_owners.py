"""Owners dial in, over real SIP and RTP: PIN, messages, and what the database has of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.instance import PIN, Instance, VoiceWorker
from tests.peers.speech import speech
from tests.support import until
from voice.caller import Caller
from voice.media import tones

pytestmark = pytest.mark.peers
SPOKEN = speech(2.0, seed=5)


@pytest.fixture
def trusting(start_worker: Callable[..., VoiceWorker]) -> VoiceWorker:
    """A worker that believes this host who calls, and mailboxes 7001 and 7002."""
    worker = start_worker(VOICEMAIL__SIP__TRUSTED="127.0.0.0/8", VOICEMAIL__PHONE__REVIEW="true")
    for extension in ("7001", "7002"):
        worker.instance.mailbox(extension)
    return worker


def leave_message(worker: VoiceWorker, keys: str) -> str:
    """A caller speaks, presses # and then these keys in the review; the message's id."""
    with Caller(worker.host, worker.port) as caller:
        caller.dial("7001")
        caller.press("#")
        caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
        caller.speak(SPOKEN)
        caller.press("#" + keys)
        assert caller.wait(lambda: caller.ended, 30)
        return worker.call_line(caller.call_id)["message"]


def is_urgent(folder: Path) -> bool:
    """Whether the only take in the spool is marked as urgent."""
    return any('"urgent": true' in path.read_text() for path in folder.glob("*.json"))


def states(instance: Instance) -> list[tuple[str, bool]]:
    return [(message.state, message.urgent) for message in instance.messages("7001")]


def test_an_owner_hears_and_saves_what_a_caller_left_as_urgent(trusting: VoiceWorker) -> None:
    instance = trusting.instance
    message = leave_message(trusting, "41")
    assert message != "-"
    until(lambda: states(instance) == [("new", True)], 10, "the urgent message")
    with Caller(trusting.host, trusting.port, number="7001") as owner:
        owner.dial("*97")
        owner.press(f"{PIN}#12")
        until(lambda: owner.listen(0.1) and states(instance) == [("saved", True)], 20, "the message to be saved")
        owner.press("#")
        assert owner.wait(lambda: owner.ended, 20)
        line = trusting.call_line(owner.call_id)
    assert (line["ended_by"], line["why"], line["mailbox"]) == ("key", "we hung up", "7001")


@pytest.mark.parametrize(
    ("dialled", "number", "keys"),
    [("*97", "0301234567", f"7001#{PIN}##"), ("*98", "7002", f"7001#{PIN}##"), ("*97", "7002", f"{PIN}##")],
)
def test_who_is_asked_for_what(trusting: VoiceWorker, dialled: str, number: str, keys: str) -> None:
    with Caller(trusting.host, trusting.port, number=number) as owner:
        owner.dial(dialled)
        owner.press(keys)
        assert owner.wait(lambda: owner.ended, 20)
        assert trusting.call_line(owner.call_id)["ended_by"] == "key"


def test_three_wrong_pins_end_the_call(trusting: VoiceWorker) -> None:
    with Caller(trusting.host, trusting.port, number="7001") as owner:
        owner.dial("*97")
        owner.press("1#2#3#")
        assert owner.wait(lambda: owner.ended, 30)
        assert trusting.call_line(owner.call_id)["ended_by"] == "wrong PIN"
    assert PIN not in trusting.text()


def test_star_in_the_greeting_leads_an_extension_to_its_log_in(trusting: VoiceWorker) -> None:
    with Caller(trusting.host, trusting.port, number="7002") as owner:
        owner.dial("7001")
        owner.press(f"*{PIN}##")
        assert owner.wait(lambda: owner.ended, 30)
        assert trusting.call_line(owner.call_id)["ended_by"] == "key"


def test_a_kill_in_the_review_keeps_the_message(start_worker: Callable[..., VoiceWorker], tmp_path: Path) -> None:
    instance = Instance(tmp_path / "shared", VOICEMAIL__PHONE__REVIEW="true")
    instance.mailbox("7001")
    worker = start_worker(instance)
    with Caller(worker.host, worker.port) as caller:
        caller.dial("7001")
        caller.press("#")
        caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
        caller.speak(SPOKEN)
        caller.press("#4")
        folder = instance.settings.spool_dir
        until(
            lambda: caller.listen(0.1) and any('"urgent": true' in path.read_text() for path in folder.glob("*.json"))
        )
        assert instance.messages("7001") == []
        worker.kill()
    start_worker(instance)
    message = instance.message("7001", 30)
    assert message.urgent
    assert SPOKEN[:-160] in instance.spooled(message)
