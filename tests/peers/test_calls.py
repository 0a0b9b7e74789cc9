"""Calls of the project's own caller: what needs a peer that listens to what it hears."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.peers.hostile import MALFORMED, bad_rtp
from tests.peers.instance import Instance, VoiceWorker
from tests.peers.speech import likeness, loudest_hertz, samples, speech
from voice.caller import Caller, CallFailed
from voice.caller.requests import Requests
from voice.caller.tones import is_tone
from voice.media import tones
from voice.media.g711 import Law
from voice.sip.message import SipMessage
from voice.sip.sdp import write_offer

pytestmark = pytest.mark.peers

FRAME = 160
SPOKEN = speech(2.0, seed=5)


def leave_message(caller: Caller, extension: str, payload: bytes = SPOKEN, law: Law | None = None) -> None:
    """Dial, wait for the tone, speak, press #, hear that the message is kept, be hung up on."""
    caller.dial(extension, law)
    caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
    caller.speak(payload)
    caller.press("#")
    for hertz in tones.CONFIRMATION_HZ:
        caller.wait_tone(hertz, 5)
    assert caller.wait(lambda: caller.ended, 5)


@pytest.mark.parametrize("law", list(Law), ids=lambda law: law.name)
def test_what_was_said_is_what_is_kept(worker: VoiceWorker, instance: Instance, mailbox: str, law: Law) -> None:
    said = speech(2.0, seed=6, law=law)
    with Caller(worker.host, worker.port, "2001", "Ann") as caller:
        leave_message(caller, mailbox, said, law)
        assert caller.signalling.ended_by_peer
        assert caller.audio.heard_lost == 0
        heard = samples(b"".join(caller.frames), law)
        greeting = samples(_encoded(instance.greeting, law), law)
        assert likeness(heard, greeting) > 0.99
        kept = instance.spooled(instance.message(mailbox))
        assert kept[FRAME:-FRAME] in caller.sent
        assert said in kept
        line = worker.call_line(caller.call_id)
    assert (line["ended_by"], line["lost"], line["caller"]) == ("key", "0", "2001")


def test_the_tones_are_what_callers_expect(worker: VoiceWorker, mailbox: str) -> None:
    with Caller(worker.host, worker.port) as caller:
        leave_message(caller, mailbox)
        frames, law = caller.frames, caller.audio.law
    heard = [is_tone(frame, law, tones.BEEP_HZ) for frame in frames]
    begin = heard.index(True)
    beep = frames[begin : heard.index(False, begin)]
    assert len(beep) * 0.02 == pytest.approx(0.4, abs=0.06)
    assert loudest_hertz(samples(b"".join(beep))) == pytest.approx(tones.BEEP_HZ, abs=10)


def test_nobody_who_says_nothing_leaves_a_message(worker: VoiceWorker, instance: Instance, mailbox: str) -> None:
    with Caller(worker.host, worker.port) as caller:
        caller.dial(mailbox)
        caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
        assert caller.wait(lambda: caller.ended, 30)
        line = worker.call_line(caller.call_id)
    assert (line["ended_by"], line["message"]) == ("silence", "-")
    # Nothing was said, was asked for once more, and again was not.
    assert [take.state for take in instance.messages(mailbox)] == ["discarded", "discarded"]


def test_a_hang_up_in_the_recording_keeps_the_message(worker: VoiceWorker, instance: Instance, mailbox: str) -> None:
    with Caller(worker.host, worker.port) as caller:
        caller.dial(mailbox)
        caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
        caller.speak(SPOKEN)
        caller.hang_up()
        message = instance.message(mailbox)
        assert message.state == "new"
        assert SPOKEN[:-FRAME] in instance.spooled(message)
        assert worker.call_line(caller.call_id)["ended_by"] == "hangup"


def test_a_repeated_invite_gets_the_same_answer(worker: VoiceWorker, instance: Instance, mailbox: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((worker.host, 0))
        phone.settimeout(5)
        local = phone.getsockname()
        remote = (worker.host, worker.port)
        requests = Requests(remote, local, f"sip:{mailbox}@{worker.host}", "2002", "Twice")
        invite = requests.invite(write_offer(worker.host, 9, "1", 1))
        phone.sendto(invite, remote)
        first = _final(phone, remote)
        phone.sendto(invite, remote)
        again = _final(phone, remote)
        phone.sendto(requests.ack(first), remote)
        phone.sendto(requests.bye(first), remote)
        line = worker.call_line(requests.call_id)
    assert (first.code, first.to.tag, first.content) == (again.code, again.to.tag, again.content)
    assert line["why"] == "caller hung up"


def test_after_malformed_datagrams_the_next_call_works(worker: VoiceWorker, instance: Instance, mailbox: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for data in MALFORMED:
            stranger.sendto(data, (worker.host, worker.port))
    assert len(MALFORMED) >= 40
    with Caller(worker.host, worker.port) as caller:
        leave_message(caller, mailbox)
    assert instance.message(mailbox).state == "new"
    assert "Traceback" not in worker.text()


def test_bad_rtp_harms_neither_its_call_nor_the_next(worker: VoiceWorker, instance: Instance, mailbox: str) -> None:
    before, after = speech(1.0, seed=7), speech(1.0, seed=8)
    with Caller(worker.host, worker.port) as caller:
        caller.dial(mailbox, Law.PCMU)
        caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
        caller.speak(before)
        audio = caller.audio
        assert audio.agreed is not None
        assert audio.agreed.event_payload_type is not None
        numbers = (audio.ssrc, audio.sequence, audio.timestamp, audio.agreed.event_payload_type)
        for data in bad_rtp(*numbers).values():
            audio.socket.sendto(data, audio.to)
        caller.speak(after)
        caller.press("#")
        for hertz in tones.CONFIRMATION_HZ:
            caller.wait_tone(hertz, 5)
        first = instance.message(mailbox)
        kept = instance.spooled(first)
    assert before[:-FRAME] in kept
    assert after[4 * FRAME : -FRAME] in kept
    assert first.duration < 4
    with Caller(worker.host, worker.port) as caller:
        leave_message(caller, mailbox)
        assert worker.call_line(caller.call_id)["ended_by"] == "key"
    assert "Traceback" not in worker.text()


def test_a_target_in_the_request_uri_names_the_mailbox(worker: VoiceWorker, mailbox: str) -> None:
    uri = f"sip:voicemail@{worker.host};target=sip:{mailbox}%40pbx.example;cause=486"
    with Caller(worker.host, worker.port) as caller:
        caller.dial("voicemail", uri=uri)
        caller.hang_up()
        assert worker.call_line(caller.call_id)["mailbox"] == mailbox


def test_lost_packets_are_counted_and_concealed(worker: VoiceWorker, instance: Instance, mailbox: str) -> None:
    before, after = speech(1.0, seed=11), speech(1.0, seed=12)
    lost = 3
    with Caller(worker.host, worker.port) as caller:
        caller.dial(mailbox, Law.PCMU)
        caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
        caller.speak(before)
        caller.audio.sequence += lost
        caller.audio.timestamp += lost * FRAME
        caller.speak(after)
        caller.press("#")
        line = worker.call_line(caller.call_id)
        kept = instance.spooled(instance.message(mailbox))
    assert line["lost"] == str(lost)
    said, heard = _between(caller.sent, before, after), _between(kept, before, after)
    assert heard.startswith(said)
    assert len(heard) == len(said) + lost * FRAME


def test_a_refused_call_says_why(worker: VoiceWorker) -> None:
    with Caller(worker.host, worker.port) as caller, pytest.raises(CallFailed, match="no mailbox 6998") as refused:
        caller.dial("6998")
    assert refused.value.status == 404


def test_full_disk_below_the_limit_refuses_calls(start_worker: Callable[..., VoiceWorker]) -> None:
    worker = start_worker(VOICEMAIL__LIMITS__FREE_DISK_BYTES=str(10**15))
    extension = worker.instance.mailbox("7001")
    with Caller(worker.host, worker.port) as caller, pytest.raises(CallFailed) as refused:
        caller.dial(extension)
    assert refused.value.status == 503


def _final(phone: socket.socket, source: tuple[str, int]) -> SipMessage:
    while (message := SipMessage(phone.recv(65535), source)).code < 200:
        pass
    return message


def _encoded(pcm16: bytes, law: Law) -> bytes:
    from voice.media.g711 import encode

    return encode(pcm16, law)


def _between(payload: bytes, first: bytes, second: bytes) -> bytes:
    """What stands between two things that were said."""
    return payload[payload.index(first) + len(first) : payload.index(second)]
