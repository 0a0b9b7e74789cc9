"""Calls over a real socket: answered, cancelled, refused, ended by either side (RFC 3261 sections 9, 13 and 15)."""

from __future__ import annotations

import gc
import socket
import weakref

import pytest

from tests.sip.conftest import Desk
from tests.sip.desk import ended, no_traces, ringing
from tests.sip.peer import Leg, Peer, audio
from tests.support import until
from voice.sip import Phone, SipCall
from voice.sip.message import SipMessage
from voice.sip.transactions import InviteTransaction


def test_a_call_from_invite_to_bye(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    answer = leg.establish()
    assert [message.code for message in peer.heard] == [100, 180, 200]
    assert len({message.to.tag for message in peer.heard[1:]}) == 1
    assert answer.contact is not None
    assert answer.contact.uri.address == ("127.0.0.1", phone.sip.myPort)
    assert answer.sdp is not None
    line = answer.sdp.media[0]
    assert (line.formats, line.address, line.direction) == (["0", "101"], "127.0.0.1", "sendrecv")
    assert leg.ask("BYE").code == 200
    assert ended(desk) == "caller hung up"
    no_traces(phone)


def test_audio_flows_to_the_address_of_the_offer(peer: Peer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        media.bind(("127.0.0.1", 0))
        media.settimeout(10)
        leg = Leg(peer)
        leg.establish(body=audio(port=media.getsockname()[1], formats="8"))
        packet = media.recv(2000)
        assert (packet[0] >> 6, packet[1] & 0x7F, len(packet)) == (2, 8, 172)
        assert leg.ask("BYE").code == 200


def test_the_200_is_repeated_until_the_ack(peer: Peer, phone: Phone) -> None:
    leg = Leg(peer)
    leg.invite()
    first, second, third = leg.final(), leg.final(), leg.final()
    assert first.fields == second.fields == third.fields
    leg.ack(first)
    until(lambda: not next(iter(phone.calls.values()))._unacknowledged, what="the ACK")
    assert leg.ask("BYE").code == 200


def test_a_call_without_an_ack_is_ended(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.invite()
    leg.final()
    bye = peer.requested("BYE")
    leg.respond(bye)
    assert ended(desk) == "no ACK"
    assert phone.statistics.unacknowledged == 1
    no_traces(phone)


def test_a_repeated_invite_is_answered_from_memory(peer: Peer, phone: Phone, desk: Desk) -> None:
    desk.on_call = ringing
    leg = Leg(peer)
    leg.invite()
    peer.receive(lambda message: message.code == 180, "180")
    peer.send(leg.last)
    assert peer.receive(lambda message: message.code == 180, "180 again").to.tag == peer.heard[1].to.tag
    desk.calls[0].answer()
    peer.receive(lambda message: message.code == 200, "200")
    peer.send(leg.last)
    leg.ack(leg.final())
    assert len(desk.calls) == 1
    assert phone.statistics.retransmissions == 2
    assert leg.ask("BYE").code == 200


def test_a_cancel_ends_a_ringing_call(peer: Peer, phone: Phone, desk: Desk) -> None:
    desk.on_call = ringing
    leg = Leg(peer)
    leg.invite()
    peer.receive(lambda message: message.code == 180, "180")
    leg.send("CANCEL", sequence=1, branch=leg.branch)
    assert peer.final("CANCEL", leg.call_id).code == 200
    refused = leg.final()
    assert refused.code == 487
    leg.ack(refused)
    assert ended(desk) == "cancelled"
    assert not desk.calls[0].answer(), "a cancelled call cannot be answered"
    no_traces(phone)


def test_a_cancel_that_comes_too_late_changes_nothing(peer: Peer, phone: Phone) -> None:
    leg = Leg(peer)
    leg.invite()
    answer = leg.final()
    leg.remote_tag = ""
    leg.send("CANCEL", sequence=1, branch=leg.branch)
    assert peer.final("CANCEL", leg.call_id).code == 200
    leg.remote_tag = answer.to.tag
    leg.ack(answer)
    assert leg.ask("OPTIONS").code == 200
    assert len(phone.live_calls()) == 1
    assert leg.ask("BYE").code == 200


def test_we_hang_up(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    answer = leg.establish()
    until(lambda: not desk.calls[0]._unacknowledged, what="the ACK")
    desk.calls[0].hangup()
    bye = peer.requested("BYE")
    assert (bye.call_id, bye.from_.tag, bye.to.tag) == (leg.call_id, answer.to.tag, leg.tag)
    assert bye.uri.raw == f"sip:peer@127.0.0.1:{peer.port}"
    assert bye.vias[0].branch.startswith("z9hG4bK")
    leg.respond(bye)
    assert ended(desk) == "we hung up"
    no_traces(phone)


def test_our_bye_is_repeated_until_it_is_answered(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish()
    desk.calls[0].hangup()
    first = peer.requested("BYE")
    second = peer.requested("BYE")
    assert first.fields == second.fields
    leg.respond(second, "481 Gone")
    no_traces(phone)


def test_we_hang_up_before_the_ack(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.invite()
    answer = leg.final()
    desk.calls[0].hangup()
    leg.final()
    assert all(message.method != "BYE" for message in peer.heard), "no BYE before the ACK (section 15)"
    leg.ack(answer)
    leg.respond(peer.requested("BYE"))
    no_traces(phone)


def test_a_ringing_call_may_be_refused(peer: Peer, phone: Phone, desk: Desk) -> None:
    desk.on_call = lambda call: call.reject(404, "Nobody Here", {"Retry-After": "9"})
    leg = Leg(peer)
    leg.invite()
    refused = leg.final()
    assert (refused.code, refused.reason, refused.header("Retry-After")) == (404, "Nobody Here", "9")
    assert leg.final().code == 404, "repeated until the ACK"
    leg.ack(refused)
    no_traces(phone)
    assert phone.statistics.rejected == {404: 1}


def test_a_call_that_cannot_be_served_gets_500(peer: Peer, phone: Phone, desk: Desk) -> None:
    def broken(_: SipCall) -> None:
        raise RuntimeError("flow")

    desk.on_call = broken
    leg = Leg(peer)
    leg.invite()
    assert leg.final().code == 500
    no_traces(phone)
    assert peer.is_answered()


def test_a_fault_of_ours_is_an_answer_and_costs_no_port(
    peer: Peer, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = len(phone.ports._free)
    with monkeypatch.context() as broken:
        broken.setattr("voice.sip.session.MediaStream", None)
        leg = Leg(peer)
        leg.invite()
        assert leg.final().code == 500
    # It is counted behind the answer.
    until(lambda: phone.statistics.faults == 1, what="the fault to be counted")
    assert len(phone.ports._free) + len(phone.ports._draining) == free
    assert Leg(peer).establish().code == 200


def test_faults_of_ours_do_not_fill_the_log(
    peer: Peer, phone: Phone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("voice.sip.session.MediaStream", None)
        for _ in range(12):
            leg = Leg(peer)
            leg.invite()
            leg.ack(leg.final())
    until(lambda: phone.statistics.faults == 12, what="the faults to be counted")
    assert sum(record.exc_info is not None for record in caplog.records) == 10


def test_a_bye_in_place_of_the_ack_ends_the_repeats(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.invite()
    leg.final()
    assert leg.ask("BYE").code == 200
    transaction = desk.calls[0].request.transaction
    assert isinstance(transaction, InviteTransaction)
    until(lambda: transaction.acknowledged, what="end of the repeats")
    no_traces(phone)


def test_a_call_that_runs_keeps_nothing_of_its_invite(peer: Peer, phone: Phone, desk: Desk) -> None:
    """Parsed, it would be a fifth of the memory that the call takes."""
    invites: list[weakref.ref[SipMessage]] = []

    def answer(call: SipCall) -> None:
        invites.append(weakref.ref(call.request))
        call.answer()

    desk.on_call = answer
    leg = Leg(peer)
    leg.establish()
    until(lambda: invites[0]() is None, what="the end of the INVITE")
    assert leg.ask("BYE").code == 200
    no_traces(phone)


@pytest.mark.parametrize("end", ["bye", "cancel", "reject"])
def test_a_call_that_is_over_is_not_kept_by_its_transactions(peer: Peer, phone: Phone, desk: Desk, end: str) -> None:
    """They live for another half a minute, in which many calls come and go. Nor do its parts keep each other."""
    gc.collect()
    gc.disable()
    if end != "bye":
        desk.on_call = ringing
    leg = Leg(peer)
    if end == "bye":
        leg.establish()
        call = weakref.ref(desk.calls.pop())
        assert leg.ask("BYE").code == 200
    else:
        leg.invite()
        until(lambda: desk.calls, what="the call")
        call = weakref.ref(desk.calls.pop())
    if end == "cancel":
        leg.send("CANCEL", sequence=1, branch=leg.branch)
    elif end == "reject":
        (live,) = phone.live_calls()
        live.reject(486)
        del live

    try:
        until(lambda: call() is None, what="the end of the call's memory")
    finally:
        gc.enable()
    assert len(phone.sip.transactions) > 0
