"""A worker that is stopped takes no new calls, lets running ones finish within its limit, and keeps every message."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.peers.instance import VoiceWorker
from tests.peers.speech import speech
from tests.support import until
from voice.caller import Caller, CallFailed
from voice.media import tones

pytestmark = [pytest.mark.peers, pytest.mark.slow]

EXTENSION = "7001"
FRAME = 160
LONG = "600"


def begin(caller: Caller, payload: bytes) -> None:
    """Dial, wait for the tone, speak; the recording goes on."""
    caller.dial(EXTENSION)
    caller.wait_tone(tones.BEEP_HZ, 20, to_its_end=True)
    caller.speak(payload)


def draining(worker: VoiceWorker) -> Callable[[], bool]:
    return lambda: " draining calls=" in worker.text()


def test_a_running_call_finishes_while_new_ones_are_refused(start_worker: Callable[..., VoiceWorker]) -> None:
    worker = start_worker(VOICEMAIL__SIP__DRAIN_TIMEOUT=LONG)
    instance = worker.instance
    instance.mailbox(EXTENSION)
    said = speech(1.5, seed=41)
    with Caller(worker.host, worker.port) as caller:
        begin(caller, said)
        worker.popen.send_signal(signal.SIGTERM)
        assert caller.wait(draining(worker), 20)
        with Caller(worker.host, worker.port) as late:
            with pytest.raises(CallFailed) as refusal:
                late.dial(EXTENSION)
            assert refusal.value.status == 503
            assert int(late.signalling.final.header("Retry-After")) > 0
        # The one that runs is still heard, and has its way to the end.
        caller.speak(said)
        caller.press("#")
        for hertz in tones.CONFIRMATION_HZ:
            caller.wait_tone(hertz, 20)
        assert caller.wait(lambda: caller.ended, 20)
    # The last call is over: the worker does not wait for its limit.
    assert worker.popen.wait(60) == 0
    message = instance.message(EXTENSION)
    assert message.state == "new"
    assert said[:-FRAME] in instance.spooled(message)
    assert worker.call_line(caller.call_id)["ended_by"] == "key"


def test_calls_that_do_not_finish_are_ended_at_the_limit(start_worker: Callable[..., VoiceWorker]) -> None:
    worker = start_worker(VOICEMAIL__SIP__DRAIN_TIMEOUT="1", VOICEMAIL__SILENCE_TIMEOUT="60")
    instance = worker.instance
    instance.mailbox(EXTENSION)
    said = speech(1.5, seed=42)
    with Caller(worker.host, worker.port) as speaking, Caller(worker.host, worker.port) as listening:
        begin(speaking, said)
        # This one has not even heard the greeting to its end.
        listening.dial(EXTENSION)
        worker.popen.send_signal(signal.SIGTERM)
        for caller in (speaking, listening):
            assert caller.wait(lambda caller=caller: caller.ended, 30)
            assert caller.signalling.ended_by_peer
    assert worker.popen.wait(60) == 0
    message = instance.message(EXTENSION)
    assert said[:-FRAME] in instance.spooled(message)
    assert {worker.call_line(caller.call_id)["why"] for caller in (speaking, listening)} == {"shutdown"}


def test_a_second_signal_ends_calls_at_once(start_worker: Callable[..., VoiceWorker]) -> None:
    worker = start_worker(VOICEMAIL__SIP__DRAIN_TIMEOUT=LONG, VOICEMAIL__SILENCE_TIMEOUT="60")
    instance = worker.instance
    instance.mailbox(EXTENSION)
    said = speech(1.5, seed=43)
    with Caller(worker.host, worker.port) as caller:
        begin(caller, said)
        worker.popen.send_signal(signal.SIGTERM)
        assert caller.wait(draining(worker), 20)
        assert not caller.ended
        worker.popen.send_signal(signal.SIGINT)
        assert caller.wait(lambda: caller.ended, 30)
        assert caller.signalling.ended_by_peer
    assert worker.popen.wait(60) == 0
    until(lambda: instance.messages(EXTENSION), 10, "the message")
    assert said[:-FRAME] in instance.spooled(instance.message(EXTENSION))
