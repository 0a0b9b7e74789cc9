"""The faults that kill or wedge pyVoIP 1.6.8, shown on pyVoIP itself: so much is sure of the tests that we pass.

docs/sip.md names for each the test of ours that would fail with it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.pyvoip.plain import PlainPhone
from tests.sip.peer import Leg, audio
from tests.support import free_port, until
from voice.media import rtp
from voice.media.rtp import RTPPacket
from voice.sip import SipMessage

RECEIVER, TRANSMITTER = "RTP Receiver", "RTP Transmitter"
LEAP = 150_000_000


@pytest.fixture(scope="module")
def plain() -> Iterator[PlainPhone]:
    """One that is registered, for the faults that cost a call and not the phone."""
    with PlainPhone() as phone:
        yield phone.register()


def send(leg: Leg, answer: SipMessage, *packets: bytes) -> None:
    """RTP to the port that the answer names."""
    assert answer.sdp
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        for packet in packets:
            media.sendto(packet, ("127.0.0.1", answer.sdp.media[0].port))


def answered(plain: PlainPhone, body: bytes = b"") -> tuple[Leg, SipMessage]:
    leg = Leg(plain.peer)
    leg.invite(body=body)
    answer = leg.final()
    assert answer.code == 200
    leg.ack(answer)
    return leg, answer


def finals(leg: Leg) -> list[int]:
    """Final responses to its INVITE so far."""
    return [
        message.code
        for message in leg.peer.heard
        if message.code >= 200 and message.call_id == leg.call_id and message.cseq[1] == "INVITE"
    ]


@pytest.mark.parametrize(
    "packet",
    [b"", b"\x80\x00\x00", rtp.build(RTPPacket(101, 1, 160, 7, bytes((16, 10, 0, 160))))],
    ids=["empty", "short", "hook flash"],
)
def test_one_packet_ends_the_hearing_of_a_call(plain: PlainPhone, packet: bytes) -> None:
    before = plain.threads(RECEIVER)
    leg, answer = answered(plain)
    until(lambda: plain.threads(RECEIVER) == before + 1, what="the thread that receives")
    send(leg, answer, packet)
    until(lambda: plain.threads(RECEIVER) == before, what="the death of the thread")
    assert plain.state()["calls"][leg.call_id] == "ANSWERED"


def test_one_packet_takes_memory_for_hours_of_audio(plain: PlainPhone) -> None:
    before = plain.state()["memory"]
    leg, answer = answered(plain)
    payload = bytes(160)
    send(leg, answer, *(rtp.build(RTPPacket(0, n, 1000 + n * LEAP, 7, payload)) for n in range(2)))
    until(lambda: plain.state()["memory"] > before + LEAP // 2, 30, "the memory")


def test_an_invite_that_comes_again_starts_the_audio_again(plain: PlainPhone) -> None:
    before = plain.threads(TRANSMITTER)
    leg = Leg(plain.peer)
    leg.invite()
    invite = leg.last
    leg.final()
    leg.peer.send(invite)
    leg.final()
    until(lambda: plain.threads(TRANSMITTER) == before + 2, what="a second pair of threads for the same call")


def test_a_cancelled_call_is_answered(plain: PlainPhone) -> None:
    leg = Leg(plain.peer)
    leg.invite()
    plain.peer.receive(lambda message: message.code == 180 and message.call_id == leg.call_id, "180")
    leg.send("CANCEL", sequence=1, branch=leg.branch)
    assert plain.peer.final("CANCEL", leg.call_id).code == 200
    assert leg.final().code == 200, "not 487"


def test_without_a_common_codec_the_call_is_answered_and_nothing_sent(plain: PlainPhone) -> None:
    before = plain.threads(TRANSMITTER)
    leg, _ = answered(plain, audio(formats="18 101"))
    until(lambda: plain.threads(TRANSMITTER) == before, what="the death of the thread that sends")
    assert plain.state()["calls"][leg.call_id] == "ANSWERED"
    assert finals(leg) == [200], "not 488"


def test_an_invite_without_a_description_rings_for_ever(plain: PlainPhone) -> None:
    silent = Leg(plain.peer)
    silent.send("INVITE")
    plain.peer.receive(lambda message: message.code == 180 and message.call_id == silent.call_id, "180")
    # A call that comes later is answered, this one has not even become a call.
    answered(plain)
    assert silent.call_id not in plain.state()["calls"]
    assert finals(silent) == []


def test_after_a_hundred_thousand_calls_the_sip_thread_spins() -> None:
    with PlainPhone() as phone:
        phone.register()
        phone.ask("fill sessions")
        leg = Leg(phone.peer)
        leg.invite()
        until(lambda: "_callback_MSG_Invite" in phone.state()["inside"].get("SIP Recieve", []), 20, "the INVITE")
        begun = phone.state()["processor_seconds"]
        until(lambda: phone.state()["processor_seconds"] > begun + 1, 30, "a second of work on one INVITE")
        assert "_callback_MSG_Invite" in phone.state()["inside"]["SIP Recieve"]
        assert finals(leg) == []


def test_a_port_costs_more_with_every_call_there_was() -> None:
    with PlainPhone((10000, 20000)) as phone:
        phone.register()
        price = phone.ask("price of a port")
        assert price["used"] > 20 * price["fresh"]


def test_ports_of_calls_that_run_are_given_to_others() -> None:
    port = free_port(socket.SOCK_DGRAM)
    with PlainPhone((port, port)) as phone:
        phone.register()
        first, _ = answered(phone)
        second = Leg(phone.peer)
        second.invite()
        phone.peer.receive(lambda message: message.code == 180 and message.call_id == second.call_id, "180")
        until(lambda: phone.state()["ports"] == [port, port], what="the same port for both")
        assert phone.state()["calls"][first.call_id] == "ANSWERED"


def test_a_registrar_that_asks_something_first_ends_the_phone() -> None:
    with PlainPhone() as phone:
        # Three that register, and one at the end that takes it back: each is met by a qualify.
        for _ in range(4):
            phone.peer.requested("REGISTER")
            Leg(phone.peer).send("OPTIONS")
        until(lambda: phone.state()["status"] == "FAILED", 20, "the failure")
        assert phone.state()["socket_closed"]
