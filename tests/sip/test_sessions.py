"""Offers and answers of calls over a real socket: hold, resume, late offers (RFC 3264, RFC 3311)."""

from __future__ import annotations

import contextlib
import errno
import socket

import pytest

from tests.sip.conftest import Desk
from tests.sip.desk import ended, no_traces
from tests.sip.peer import Leg, Peer, audio
from tests.support import until
from voice.events import Digit, HoldChanged
from voice.media import rtp
from voice.media.g711 import Law
from voice.media.rtp import RTPPacket
from voice.media.stream import MediaStream
from voice.sip import Phone, SipMessage


def test_hold_and_resume(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer)
    first = leg.establish()
    for body, held, direction in (
        (audio("a=sendonly"), True, "recvonly"),
        (audio("a=sendrecv"), False, "sendrecv"),
        (audio(address="0.0.0.0"), True, "sendrecv"),
        (audio(), False, "sendrecv"),
        (audio("a=inactive"), True, "inactive"),
    ):
        answer = leg.ask("INVITE", body=body)
        assert answer.code == 200
        assert answer.to.tag == first.to.tag
        assert answer.sdp is not None
        assert answer.sdp.media[0].direction == direction
        until(lambda wanted=held: desk.events[-1:] == [HoldChanged(wanted)], what=f"hold {held}")
    assert desk.calls[0].stream.sending is False
    assert leg.ask("BYE").code == 200


@pytest.mark.parametrize("late", [False, True], ids=["in the INVITE", "in the ACK"])
def test_a_call_that_comes_on_hold_is_known_to_be(peer: Peer, desk: Desk, late: bool) -> None:
    """As a transfer leaves it until it is completed: its caller is not silent meanwhile."""
    leg, held = Leg(peer), audio("a=sendonly")
    if late:
        leg.send("INVITE")
        leg.ack(leg.final(), body=held)
    else:
        leg.establish(body=held)
    until(lambda: desk.events == [HoldChanged(True)], what="hold")
    assert leg.ask("INVITE", body=audio()).code == 200
    until(lambda: desk.events == [HoldChanged(True), HoldChanged(False)], what="resume")
    assert leg.ask("BYE").code == 200


def version_of(message: SipMessage) -> int:
    line = next(line for line in message.content.decode().splitlines() if line.startswith("o="))
    return int(line.split()[2])


def test_the_version_grows_only_with_the_description(peer: Peer) -> None:
    leg = Leg(peer)
    answers = [leg.establish(), leg.ask("INVITE", body=audio()), leg.ask("INVITE", body=audio("a=sendonly"))]
    first, same, other = map(version_of, answers)
    assert (same, other) == (first, first + 1)
    assert leg.ask("BYE").code == 200


def test_a_reinvite_that_cannot_be_served_leaves_the_call_as_it_is(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish(body=audio(formats="8"))
    assert leg.ask("INVITE", body=audio(formats="0")).code == 488, "the law of a recording stays"
    assert leg.ask("INVITE", body=audio(port=99999, formats="8")).code == 488
    assert leg.ask("INVITE", body=b"nonsense").code == 400
    assert desk.calls[0].stream.law is Law.PCMA
    assert not desk.calls[0].ended
    assert leg.ask("INVITE", body=audio(formats="0 8")).code == 200
    assert leg.ask("BYE").code == 200


def test_update_changes_hold_as_a_reinvite_does(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish()
    refreshed = leg.ask("UPDATE")
    assert (refreshed.code, refreshed.content) == (200, b"")
    assert leg.ask("UPDATE", body=audio("a=sendonly")).code == 200
    until(lambda: desk.events == [HoldChanged(True)], what="hold")
    assert leg.ask("BYE").code == 200


def test_an_invite_without_an_offer_is_answered_with_ours(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer)
    leg.send("INVITE")
    answer = leg.final()
    assert answer.sdp is not None
    assert answer.sdp.media[0].formats == ["0", "8", "101"]
    leg.ack(answer, body=audio(formats="8 101"))
    until(lambda: desk.calls[0].stream.law is Law.PCMA, what="the answer in the ACK")
    assert leg.ask("BYE").code == 200


@pytest.mark.parametrize("body", [b"", b"nonsense", audio(port=0), audio(formats="18")])
def test_an_ack_without_an_answer_of_use_ends_the_call(peer: Peer, phone: Phone, desk: Desk, body: bytes) -> None:
    leg = Leg(peer)
    leg.send("INVITE")
    leg.ack(leg.final(), body=body)
    leg.respond(peer.requested("BYE"))
    assert ended(desk) == "error"
    no_traces(phone)


def test_a_port_that_cannot_be_taken_again_ends_the_call_and_is_not_lost(
    peer: Peer, phone: Phone, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the answer in the ACK another stream takes the port over."""

    def refuse(_: MediaStream) -> None:
        raise OSError(errno.EADDRINUSE, "on purpose")

    def unused() -> int:
        return len(phone.ports._free) + len(phone.ports._draining)

    before = unused()
    leg = Leg(peer)
    leg.send("INVITE")
    answer = leg.final()
    assert unused() == before - 1
    monkeypatch.setattr(MediaStream, "open", refuse)
    leg.ack(answer, body=audio())
    leg.respond(peer.requested("BYE"))
    assert ended(desk) == "error"
    no_traces(phone)
    assert unused() == before


def test_a_reinvite_without_an_offer_gets_ours(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish(body=audio(formats="8"))
    leg.send("INVITE")
    answer = leg.peer.final("INVITE", leg.call_id)
    assert answer.sdp is not None
    assert answer.sdp.media[0].formats == ["8", "101"], "the law of a recording stays"
    leg.ack(answer, body=audio("a=sendonly", formats="8"))
    until(lambda: desk.events == [HoldChanged(True)], what="hold")
    assert leg.ask("BYE").code == 200


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_call_that_moves_is_heard_and_spoken_to_at_its_new_address(peer: Peer, desk: Desk, method: str) -> None:
    leg = Leg(peer)
    with contextlib.ExitStack() as stack:
        before, after = (stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2))
        for phone, address in ((before, "127.0.0.1"), (after, "127.0.0.2")):
            phone.bind((address, 0))
            phone.settimeout(5)
        leg.establish(body=audio(port=before.getsockname()[1]))
        ours = ("127.0.0.1", desk.calls[0].stream.inPort)
        before.sendto(rtp.build(RTPPacket(0, 1, 160, 7, bytes(160))), ours)
        before.recv(2048)
        last = rtp.parse(before.recv(2048))
        answer = leg.ask(method, body=audio(port=after.getsockname()[1], address="127.0.0.2"))
        assert answer.sdp is not None
        assert answer.sdp.media[0].port == ours[1]
        heard = rtp.parse(after.recv(2048))
        assert heard.ssrc == last.ssrc
        assert 0 < (heard.sequence - last.sequence) & 0xFFFF < 1000, "one stream, elsewhere"
        after.sendto(rtp.build(RTPPacket(101, 1, 160, 8, bytes((6, 10, 0, 160)))), ours)
        until(lambda: Digit("6") in desk.events, what="a key from the new address")
        before.sendto(rtp.build(RTPPacket(101, 9, 1600, 7, bytes((7, 10, 0, 160)))), ours)
        after.sendto(rtp.build(RTPPacket(101, 9, 1600, 8, bytes((8, 10, 0, 160)))), ours)
        until(lambda: Digit("8") in desk.events, what="another key")
        assert Digit("7") not in desk.events, "the old address counts no more"
    assert leg.ask("BYE").code == 200


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_other_payload_types_for_the_same_law_are_those_of_the_stream(peer: Peer, desk: Desk, method: str) -> None:
    leg = Leg(peer)
    leg.establish()
    stream = desk.calls[0].stream
    assert (stream.payload_type, stream.event_payload_type) == (0, 101)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(5)
        lines = ("a=rtpmap:97 PCMU/8000", "a=rtpmap:98 telephone-event/8000")
        answer = leg.ask(method, body=audio(*lines, port=phone.getsockname()[1], formats="97 98"))
        assert answer.sdp is not None
        assert answer.sdp.media[0].formats == ["97", "98"]
        until(lambda: rtp.parse(phone.recv(2048)).payload_type == 97, what="audio with the new number")
        key = rtp.build(RTPPacket(98, 1, 160, 7, bytes((5, 10, 0, 160))))
        phone.sendto(key, ("127.0.0.1", answer.sdp.media[0].port))
        until(lambda: Digit("5") in desk.events, what="the key")
    assert stream is desk.calls[0].stream
    assert leg.ask("BYE").code == 200
