"""What is said is kept, whichever process dies and whenever."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.jobs.relay import Relay
from app.services import calls, numbers, workers
from app.services.numbers import Details
from tests.peers.instance import VoiceWorker
from tests.peers.speech import speech
from tests.support import until
from tests.twiml.programme import Site
from voice.caller import Caller
from voice.media import tones

pytestmark = [pytest.mark.peers, pytest.mark.slow]

FRAME = 160
EXTENSION = "7001"
# A crash loses no more than what was not on disk: at most two blocks of a second, and what was in the air.
LOST_AT_MOST = 2.5


def record(caller: Caller, payload: bytes) -> None:
    """Dial, wait for the tone, speak; the recording goes on."""
    caller.dial(EXTENSION)
    caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
    caller.speak(payload)


def test_a_killed_worker_finds_the_message_at_its_next_start(start_worker: Callable[..., VoiceWorker]) -> None:
    worker = start_worker()
    instance = worker.instance
    instance.mailbox(EXTENSION)
    said = speech(5.0, seed=31)
    with Caller(worker.host, worker.port) as caller:
        record(caller, said)
        helpers = worker.children()
        worker.kill()
    until(lambda: not any(_alive(pid) for pid in helpers), 20, "keeper and courier end with their worker")
    assert instance.messages(EXTENSION) == []
    start_worker(instance)
    message = instance.message(EXTENSION, 20)
    assert message.state == "new"
    assert message.duration >= 5.0 - LOST_AT_MOST
    assert instance.spooled(message)[:-FRAME] in caller.sent
    assert message.size == (instance.settings.spool_dir / f"{message.id}.wav").stat().st_size


def test_a_killed_keeper_costs_neither_call_nor_message(start_worker: Callable[..., VoiceWorker]) -> None:
    worker = start_worker()
    instance = worker.instance
    instance.mailbox(EXTENSION)
    said = speech(2.0, seed=32)
    with Caller(worker.host, worker.port) as caller:
        record(caller, said)
        (keeper,) = worker.keepers()
        os.kill(keeper, signal.SIGKILL)
        caller.press("#")
        for hertz in tones.CONFIRMATION_HZ:
            caller.wait_tone(hertz, 8)
        message = instance.message(EXTENSION, 30)
        assert said[:-FRAME] in instance.spooled(message)
        assert worker.call_line(caller.call_id)["message"] == message.id
    until(lambda: worker.keepers() not in ([], [keeper]), 10, "a new keeper")


def test_a_worker_that_is_stopped_keeps_the_running_recording(start_worker: Callable[..., VoiceWorker]) -> None:
    worker = start_worker()
    instance = worker.instance
    instance.mailbox(EXTENSION)
    said = speech(2.0, seed=33)
    with Caller(worker.host, worker.port) as caller:
        record(caller, said)
        worker.popen.send_signal(signal.SIGTERM)
        # The caller is told: we say BYE.
        assert caller.wait(lambda: caller.ended, 10)
        assert caller.signalling.ended_by_peer
    assert worker.stop() == 0
    message = instance.message(EXTENSION)
    assert message.state == "new"
    assert said[:-FRAME] in instance.spooled(message)
    assert worker.call_line(message.call_id)["why"] == "shutdown"


def test_nothing_is_left_of_a_call_that_was_killed_before_a_word(start_worker: Callable[..., VoiceWorker]) -> None:
    worker = start_worker()
    instance = worker.instance
    instance.mailbox(EXTENSION)
    with Caller(worker.host, worker.port) as caller:
        caller.dial(EXTENSION)
        spool = instance.settings.spool_dir
        assert caller.wait(lambda: any(spool.glob("*.json")), 10)
        worker.kill()
    start_worker(instance)
    until(lambda: not list(spool.glob("*.json")), 20, "the reconciler removes a take without a word")
    assert instance.messages(EXTENSION) == []


def test_a_programmed_call_of_a_killed_worker_is_closed(start_worker: Callable[..., VoiceWorker], valkey: str) -> None:
    worker = start_worker(REDIS_URL=valkey, VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS="127.0.0.0/8")
    app, site = worker.instance.app, Site()
    site.serve("/voice", '<Pause length="60"/>')
    with app.app_context():
        numbers.create(Details(number="5550177", voice_url=f"{site.base}/voice"), actor="test")
    relay = Relay(app, threading.Event())

    def served() -> bool:
        with app.app_context():
            return any(call.call_id == caller.call_id for call in workers.calls().calls)

    def status(look: bool = True) -> str:
        with app.app_context():
            if look:
                relay.look()
            found = calls.by_sip_call_ids([caller.call_id])
            return calls.get(found[caller.call_id]).status if found else ""

    try:
        with Caller(worker.host, worker.port) as caller:
            caller.invite("5550177")
            until(lambda: served() and status(look=False) == "ringing", 20, "the call is served")
            assert [status() for _ in range(3)] == ["ringing"] * 3
            worker.kill()
            until(lambda: status() == "failed", 30, "the call is closed")
    finally:
        site.close()


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
