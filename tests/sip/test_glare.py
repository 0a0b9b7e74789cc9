"""Offers that cross and requests that come out of order (RFC 3261 sections 12.2.2 and 14.2, RFC 3311 section 5.2)."""

from __future__ import annotations

import pytest

from tests.sip.conftest import Desk
from tests.sip.desk import ended, no_traces, ringing
from tests.sip.peer import Leg, Peer, audio
from tests.support import until
from voice.events import Digit, HoldChanged
from voice.media.g711 import Law
from voice.sip import Phone, SipMessage

HELD = audio("a=sendonly")


@pytest.mark.parametrize(("method", "body"), [("INVITE", HELD), ("INVITE", b""), ("UPDATE", HELD)])
def test_an_offer_before_the_first_invite_is_answered_has_to_wait(
    peer: Peer, phone: Phone, desk: Desk, method: str, body: bytes
) -> None:
    desk.on_call = ringing
    leg = Leg(peer)
    leg.invite()
    first = leg.branch
    leg.remote_tag = peer.receive(lambda message: message.code == 180, "180").to.tag
    leg.send(method, body=body)
    refused = peer.receive(lambda message: message.code >= 200 and message.cseq == (2, method), "the answer")
    assert refused.code == 500
    assert 0 <= int(refused.header("Retry-After") or "99") <= 10
    if method == "INVITE":
        leg.ack(refused)
    desk.calls[0].answer()
    answer = peer.receive(lambda message: message.code == 200 and message.cseq == (1, "INVITE"), "200")
    assert first == answer.vias[0].branch
    leg.ack(answer)
    assert leg.ask("INVITE", body=HELD).code == 200
    assert leg.ask("BYE").code == 200
    no_traces(phone)


def test_an_update_without_an_offer_is_taken_before_the_answer(peer: Peer, desk: Desk) -> None:
    desk.on_call = ringing
    leg = Leg(peer)
    leg.invite()
    leg.remote_tag = peer.receive(lambda message: message.code == 180, "180").to.tag
    assert leg.ask("UPDATE", "Supported: timer", "Session-Expires: 1800").header("Session-Expires") is None
    desk.calls[0].answer()
    leg.ack(leg.final())
    assert leg.ask("BYE").code == 200


@pytest.mark.parametrize(("method", "body"), [("INVITE", HELD), ("INVITE", b""), ("UPDATE", HELD)])
def test_an_offer_that_crosses_ours_gets_491(peer: Peer, phone: Phone, desk: Desk, method: str, body: bytes) -> None:
    leg = Leg(peer)
    leg.send("INVITE")
    answer = leg.final()
    leg.send(method, body=body)
    refused = peer.receive(lambda message: message.code >= 200 and message.cseq == (2, method), "the answer")
    assert refused.code == 491
    if method == "INVITE":
        leg.ack(refused)
    assert leg.ask("UPDATE").code == 200, "without an offer nothing crosses"
    leg.ack(answer, body=audio(formats="8 101"))
    until(lambda: desk.calls[0].stream.law is Law.PCMA, what="the answer in the ACK")
    assert leg.ask("INVITE", body=audio("a=sendonly", formats="8")).code == 200, "now it is taken"
    until(lambda: desk.events == [HoldChanged(True)], what="hold")
    assert leg.ask("BYE").code == 200
    no_traces(phone)


def test_a_reinvite_before_the_ack_of_an_answered_offer_is_taken(peer: Peer, phone: Phone, desk: Desk) -> None:
    """RFC 5407 section 3.1.4: offer and answer are complete, the ACK is only late."""
    leg = Leg(peer)
    leg.invite()
    first = leg.final()
    leg.send("INVITE", body=HELD)
    second = peer.receive(lambda message: message.code >= 200 and message.cseq == (2, "INVITE"), "200")
    assert second.code == 200
    leg.ack(second)
    leg.ack(first)
    until(lambda: not desk.calls[0]._unacknowledged, what="both ACKs")
    assert desk.events == [HoldChanged(True)]
    assert leg.ask("BYE").code == 200
    no_traces(phone)


def test_an_ack_with_the_number_of_no_invite_is_none(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer)
    leg.invite()
    answer = leg.final()
    leg.send("ACK", sequence=7)
    leg.final()
    assert len(desk.calls[0]._unacknowledged) == 1, "200 is still repeated"
    leg.ack(answer)
    until(lambda: not desk.calls[0]._unacknowledged, what="the ACK")
    assert leg.ask("BYE").code == 200


def answer_to(peer: Peer, leg: Leg, method: str, sequence: int) -> SipMessage:
    leg.send(method, sequence=sequence, body=HELD if method in ("INVITE", "UPDATE") else b"")
    answer = leg.peer.final(method, leg.call_id)
    if method == "INVITE":
        leg.ack(answer)
    return answer


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "OPTIONS", "REFER", "BYE"])
def test_a_number_that_is_too_low(peer: Peer, desk: Desk, method: str) -> None:
    leg = Leg(peer)
    leg.sequence = 40
    leg.establish()
    assert answer_to(peer, leg, method, 40 if method == "INVITE" else 12).code == 500
    assert desk.events == []
    assert leg.ask("BYE").code == 200


def test_numbers_may_leave_gaps_and_go_up_to_the_last(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish()
    leg.sequence = 2**31 - 3
    assert leg.ask("INFO", body=b"1", kind="application/dtmf").code == 200
    until(lambda: desk.events == [Digit("1")], what="the key")
    assert leg.ask("BYE").code == 200
    assert ended(desk) == "caller hung up"
