"""Requests and responses that cross, get lost and come again in every state of a call (RFC 3261, RFC 5407)."""

from __future__ import annotations

import pytest

from tests.sip.conftest import Desk
from tests.sip.desk import ended, no_traces, ringing
from tests.sip.peer import Leg, Peer, audio
from tests.support import until
from voice.events import Digit, Ended, Event, HoldChanged
from voice.sip import Phone, SipMessage
from voice.sip.transactions import InviteTransaction

HELD = audio("a=sendonly")


def answer_200(peer: Peer) -> SipMessage:
    return peer.receive(lambda message: message.code == 200 and message.cseq[1] == "INVITE", "200 to INVITE")


def cancel(leg: Leg, invite_branch: str) -> None:
    """CANCEL of the first INVITE, which has no To tag."""
    kept, leg.remote_tag = leg.remote_tag, ""
    leg.send("CANCEL", sequence=1, branch=invite_branch)
    leg.remote_tag = kept


def test_cancel_and_200_cross(peer: Peer, phone: Phone, desk: Desk) -> None:
    """The caller gave up before it heard of our 200: it is told so, acknowledges and hangs up."""
    desk.on_call = ringing
    leg = Leg(peer)
    leg.invite()
    until(lambda: desk.calls, what="the call")
    assert desk.calls[0].answer()
    cancel(leg, leg.branch)
    assert peer.final("CANCEL", leg.call_id).code == 200
    leg.ack(leg.final() if not leg.remote_tag else answer_200(peer))
    assert all(message.code != 487 for message in peer.heard)
    assert leg.ask("BYE").code == 200
    assert ended(desk) == "caller hung up"
    no_traces(phone)


def test_cancel_after_the_ack_and_after_the_call(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.invite()
    branch = leg.branch
    leg.ack(leg.final())
    cancel(leg, branch)
    assert peer.final("CANCEL", leg.call_id).code == 200
    assert not desk.calls[0].ended
    assert leg.ask("BYE").code == 200
    cancel(leg, branch)
    assert peer.final("CANCEL", leg.call_id).code == 200, "the INVITE is remembered for 64*T1 (timer L)"
    assert desk.events == [Ended("caller hung up")]
    no_traces(phone)


def test_cancel_comes_before_its_invite(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    cancel(leg, "z9hG4bK-early")
    assert peer.final("CANCEL", leg.call_id).code == 481
    leg.invite(branch="z9hG4bK-late")
    leg.ack(leg.final())
    assert leg.ask("BYE").code == 200
    no_traces(phone)


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_bye_from_both_sides_at_once(peer: Peer, phone: Phone, desk: Desk, first: str) -> None:
    leg = Leg(peer)
    leg.establish()
    until(lambda: not desk.calls[0]._unacknowledged, what="the ACK")
    desk.calls[0].hangup()
    ours = peer.requested("BYE")
    if first == "ours":
        leg.respond(ours)
        no_traces(phone)
        assert leg.ask("BYE").code == 481, "the dialog is over on both sides"
    else:
        assert leg.ask("BYE").code == 200
        leg.respond(ours, "481 Call/Transaction Does Not Exist")
    assert ended(desk) == "we hung up"
    no_traces(phone)
    until(lambda: phone.sip.transactions.client_count == 0, what="the answer to our BYE")
    assert desk.events == [Ended("we hung up")]


def test_our_bye_crosses_theirs_and_is_never_answered(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish()
    desk.calls[0].hangup()
    peer.requested("BYE")
    assert leg.ask("BYE").code == 200
    no_traces(phone)
    until(lambda: phone.sip.transactions.client_count == 0, what="timer F")
    assert peer.is_answered()


def test_bye_before_the_ack_and_the_ack_comes_late(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.invite()
    answer = leg.final()
    assert leg.ask("BYE").code == 200
    leg.ack(answer)
    assert peer.is_answered()
    no_traces(phone)
    assert phone.statistics.unacknowledged == 0
    assert desk.events == [Ended("caller hung up")]


def test_bye_in_place_of_the_ack_leaves_no_transaction_behind(peer: Peer, phone: Phone, desk: Desk) -> None:
    """A phone that hangs up as soon as it hears us may never send the ACK."""
    leg = Leg(peer)
    leg.invite()
    leg.final()
    assert leg.ask("BYE").code == 200
    no_traces(phone)
    until(lambda: len(phone.sip.transactions) == 0, what="timer L")


def test_bye_before_the_answer_and_the_487_is_repeated_until_its_ack(peer: Peer, phone: Phone, desk: Desk) -> None:
    """RFC 3261 section 17.2.1: the BYE ends the dialog, the INVITE still waits for an answer."""
    desk.on_call = ringing
    leg = Leg(peer)
    leg.invite()
    branch = leg.branch
    leg.remote_tag = peer.receive(lambda message: message.code == 180, "180").to.tag
    assert leg.ask("BYE").code == 200
    peer.receive(lambda message: message.code == 487, "487")
    peer.receive(lambda message: message.code == 487, "487 again")
    leg.send("ACK", sequence=1, branch=branch)
    assert ended(desk) == "caller hung up"
    no_traces(phone)
    until(lambda: phone.sip.transactions.find_server(desk.calls[0].request) is None, what="timer I")


def test_the_ack_is_lost(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.invite()
    leg.final()
    again = leg.final()
    leg.ack(again)
    leg.ack(again)
    until(lambda: not desk.calls[0]._unacknowledged, what="the ACK")
    repeats = sum(message.code == 200 for message in peer.heard)
    assert leg.ask("BYE").code == 200
    assert sum(message.code == 200 and message.cseq[1] == "INVITE" for message in peer.heard) == repeats
    no_traces(phone)


def test_a_bye_comes_again_after_the_dialog_is_gone(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish()
    assert leg.ask("BYE").code == 200
    bye = leg.last
    no_traces(phone)
    peer.send(bye)
    assert leg.final("BYE").code == 200, "remembered for 64*T1 (timer J)"
    until(lambda: len(phone.sip.transactions) == 0, what="the end of all transactions")
    peer.send(bye)
    assert leg.final("BYE").code == 481
    assert desk.events == [Ended("caller hung up")]


def test_a_cancelled_invite_comes_again(peer: Peer, phone: Phone, desk: Desk) -> None:
    desk.on_call = ringing
    leg = Leg(peer)
    leg.invite()
    invite, branch = leg.last, leg.branch
    peer.receive(lambda message: message.code == 180, "180")
    cancel(leg, branch)
    refused = leg.final()
    peer.send(invite)
    assert leg.final().code == 487
    leg.branch = branch
    leg.ack(refused)
    transaction = desk.calls[0].request.transaction
    assert isinstance(transaction, InviteTransaction)
    until(lambda: transaction.acknowledged, what="the ACK")
    peer.send(invite)
    assert peer.is_answered()
    assert len(desk.calls) == 1
    assert desk.events == [Ended("cancelled")]
    no_traces(phone)


@pytest.mark.parametrize(
    ("method", "body", "kind", "events"),
    [
        ("INVITE", HELD, "application/sdp", [HoldChanged(True)]),
        ("UPDATE", HELD, "application/sdp", [HoldChanged(True)]),
        ("INFO", b"7", "application/dtmf", [Digit("7")]),
        ("OPTIONS", b"", "", []),
        ("REFER", b"", "", []),
    ],
)
def test_requests_of_a_dialog_that_come_again(
    peer: Peer, desk: Desk, method: str, body: bytes, kind: str, events: list[Event]
) -> None:
    leg = Leg(peer)
    leg.establish()
    leg.send(method, body=body, kind=kind)
    request = leg.last
    answer = leg.final(method)
    for _ in range(2):
        peer.send(request)
        assert leg.final(method).fields == answer.fields, "from memory"
    if method == "INVITE":
        leg.ack(answer)
        until(lambda: not desk.calls[0]._unacknowledged, what="the ACK")
    until(lambda: len(desk.events) >= len(events), what="the events")
    assert leg.ask("BYE").code == 200
    peer.send(request)
    assert peer.is_answered()
    assert desk.events == [*events, Ended("caller hung up")]
