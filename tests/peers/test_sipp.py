"""sipp as the PBX: whole calls over real SIP and RTP, and what is left of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.instance import Instance, VoiceWorker
from tests.peers.sipp import needs_root, needs_sipp, run
from tests.peers.speech import speech
from tests.support import has_ipv6_loopback, missing, until
from voice.caller import Caller

pytestmark = [pytest.mark.peers, needs_sipp]

SPEECH = speech(6.0)
FRAME = 160
# From the answer to the end of the tone, with some room for a busy machine.
UNTIL_RECORDING = 1.6


def is_part_of_stream(recorded: bytes) -> bool:
    """Whether a recording, but for its first and last frame, is what sipp streamed again and again."""
    return recorded[FRAME:-FRAME] in SPEECH * (len(recorded) // len(SPEECH) + 2)


def test_speech_becomes_a_message_bit_for_bit(
    worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path
) -> None:
    done = run("speech", worker, mailbox, tmp_path, payload=SPEECH, seconds=UNTIL_RECORDING + 2.5)
    assert done.passed, done.errors
    message = instance.message(mailbox)
    recorded = instance.spooled(message)
    assert is_part_of_stream(recorded)
    assert message.duration == pytest.approx(len(recorded) / 8000)
    assert 1 < message.duration < UNTIL_RECORDING + 2.5
    assert (message.state, message.caller_number, message.caller_name) == ("new", "2000", "Bob")
    assert message.call_id == done.call_id
    line = worker.call_line(done.call_id)
    assert (line["caller"], line["mailbox"], line["ended_by"]) == ("2000", mailbox, "hangup")
    assert (line["why"], line["lost"], line["message"]) == ("caller hung up", "0", message.id)
    assert float(line["recorded"]) == pytest.approx(message.duration, abs=0.1)
    assert float(line["seconds"]) > message.duration


def test_a_message_over_ipv6_is_bit_for_bit_too(start_worker: Callable[..., VoiceWorker], tmp_path: Path) -> None:
    if not has_ipv6_loopback():
        missing("this machine has no IPv6 loopback")
    worker = start_worker(SIP_HOST="::1")
    mailbox = worker.instance.mailbox("7001")
    six = {"IN IP4 [media_ip]": "IN IP6 [media_ip]"}
    done = run("speech", worker, mailbox, tmp_path, payload=SPEECH, seconds=UNTIL_RECORDING + 2.5, replace=six)
    assert done.passed, done.errors
    message = worker.instance.message(mailbox)
    assert is_part_of_stream(worker.instance.spooled(message))
    assert message.duration > 1
    assert worker.call_line(done.call_id)["lost"] == "0"


def test_silence_ends_the_recording(worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path) -> None:
    done = run("silence_ends", worker, mailbox, tmp_path, payload=SPEECH, seconds=UNTIL_RECORDING + 2)
    assert done.passed, done.errors
    assert instance.message(mailbox).state == "new"
    line = worker.call_line(done.call_id)
    assert (line["ended_by"], line["why"]) == ("silence", "we hung up")


@needs_root
def test_keys_skip_the_greeting_and_end_the_recording(
    worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path
) -> None:
    done = run("keys", worker, mailbox, tmp_path, payload=SPEECH, seconds=2)
    assert done.passed, done.errors
    message = instance.message(mailbox)
    assert 1 < message.duration < 4
    line = worker.call_line(done.call_id)
    assert (line["ended_by"], line["message"]) == ("key", message.id)


def test_a_hang_up_in_the_greeting_leaves_nothing(
    worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path
) -> None:
    done = run("hang_up_in_greeting", worker, mailbox, tmp_path, payload=SPEECH)
    assert done.passed, done.errors
    line = worker.call_line(done.call_id)
    assert (line["message"], line["recorded"], line["why"]) == ("-", "0.0", "caller hung up")
    assert instance.messages(mailbox) == []


def test_a_repeated_invite_is_one_call(worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path) -> None:
    done = run("retransmission", worker, mailbox, tmp_path, payload=SPEECH, seconds=UNTIL_RECORDING + 1.5)
    assert done.passed, done.errors
    worker.call_line(done.call_id)
    assert is_part_of_stream(instance.spooled(instance.message(mailbox)))


def test_cancel_is_answered_with_487(worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path) -> None:
    # A look-up that takes its time: the call rings as long as the keeper stands still.
    (keeper,) = worker.keepers()
    os.kill(keeper, signal.SIGSTOP)
    try:
        done = run("cancel", worker, mailbox, tmp_path)
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert done.passed, done.errors
    line = worker.call_line(done.call_id)
    assert (line["why"], line["message"]) == ("cancelled", "-")
    assert instance.messages(mailbox) == []


def test_options_is_answered_with_200(worker: VoiceWorker, tmp_path: Path) -> None:
    done = run("options", worker, "1001", tmp_path)
    assert done.passed, done.errors


def test_no_common_codec_is_refused_with_488(worker: VoiceWorker, mailbox: str, tmp_path: Path) -> None:
    replace = {"STATUS": "488", "RTP/AVP 0 8 96": "RTP/AVP 9 96"}
    done = run("refused", worker, mailbox, tmp_path, replace=replace)
    assert done.passed, done.errors


def test_an_unknown_mailbox_is_refused_with_404(worker: VoiceWorker, tmp_path: Path) -> None:
    done = run("refused", worker, "6999", tmp_path, replace={"STATUS": "404"})
    assert done.passed, done.errors
    line = worker.call_line(done.call_id)
    assert (line["mailbox"], line["ended_by"]) == ("-", "refused")


@pytest.mark.parametrize(
    "header",
    [
        'Diversion: "Alice" <sip:{box}@pbx.example>;reason=no-answer;counter=1;privacy=off',
        "Diversion: <sip:999@pbx>;reason=unconditional, <sip:{box}@pbx>;reason=user-busy",
        "History-Info: <sip:{box}@pbx?Reason=SIP%3Bcause%3D486>;index=1, <sip:vm@pbx;cause=486>;index=1.1;mp=1",
    ],
    ids=["diversion", "two diversions", "history-info"],
)
def test_the_mailbox_is_who_was_called_first(
    worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path, header: str
) -> None:
    replace = {"Subject: test": header.format(box=mailbox)}
    done = run("speech", worker, "5000", tmp_path, payload=SPEECH, seconds=UNTIL_RECORDING + 1.5, replace=replace)
    assert done.passed, done.errors
    assert worker.call_line(done.call_id)["mailbox"] == mailbox
    assert instance.message(mailbox).call_id == done.call_id


def test_a_full_worker_says_when_to_try_again(start_worker: Callable[..., VoiceWorker], tmp_path: Path) -> None:
    worker = start_worker(VOICEMAIL__SIP__MAX_CALLS="1")
    extension = worker.instance.mailbox("7001")
    with Caller(worker.host, worker.port) as caller:
        caller.dial(extension)
        done = run("full", worker, extension, tmp_path)
        assert done.passed, done.errors
        caller.hang_up()
    until(lambda: worker.call_lines(caller.call_id), 10, "the end of the first call")
    again = run("hang_up_in_greeting", worker, extension, tmp_path, payload=SPEECH)
    assert again.passed, again.errors


def test_hold_and_resume(worker: VoiceWorker, instance: Instance, mailbox: str, tmp_path: Path) -> None:
    done = run("hold", worker, mailbox, tmp_path, payload=SPEECH, seconds=UNTIL_RECORDING + 0.6)
    assert done.passed, done.errors
    message = instance.message(mailbox)
    line = worker.call_line(done.call_id)
    assert (line["ended_by"], line["message"]) == ("hangup", message.id)
    # What was said before and after the hold, and nothing of the time between.
    assert is_part_of_stream(instance.spooled(message))
    assert message.duration > UNTIL_RECORDING


@pytest.fixture
def operated(start_worker: Callable[..., VoiceWorker]) -> VoiceWorker:
    """A worker whose key 0 leads to 100."""
    return start_worker(VOICEMAIL__PHONE__OPERATOR="100")


def test_key_0_hands_the_call_over(operated: VoiceWorker, tmp_path: Path) -> None:
    extension = operated.instance.mailbox("7001")
    done = run("transfer", operated, extension, tmp_path)
    assert done.passed, done.errors
    line = operated.call_line(done.call_id)
    assert (line["ended_by"], line["why"], line["message"]) == ("transferred", "transferred", "-")


def test_a_pbx_that_declines_the_transfer_leaves_a_caller_who_speaks(operated: VoiceWorker, tmp_path: Path) -> None:
    extension = operated.instance.mailbox("7001")
    done = run("transfer_declined", operated, extension, tmp_path, payload=SPEECH, seconds=9)
    assert done.passed, done.errors
    line = operated.call_line(done.call_id)
    assert (line["ended_by"], line["message"] != "-") == ("hangup", True)
    assert is_part_of_stream(operated.instance.spooled(operated.instance.message(extension)))
