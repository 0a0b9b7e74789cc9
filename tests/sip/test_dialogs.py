"""Requests in dialogs, and calls told apart, over a real socket (RFC 3261 section 12)."""

from __future__ import annotations

import pytest

from tests.sip.conftest import Desk, start_phone
from tests.sip.desk import ended, no_traces, ringing
from tests.sip.peer import Leg, Peer, audio
from tests.support import until
from voice.events import Digit, Ended
from voice.media.loop import MediaLoop
from voice.sip import Phone, SipCall


def test_keys_in_info(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish()
    assert leg.ask("INFO", body=b"Signal=5\r\nDuration=160\r\n", kind="application/dtmf-relay").code == 200
    assert leg.ask("INFO", body=b"11", kind="application/dtmf").code == 200
    assert leg.ask("INFO").code == 200
    until(lambda: desk.events == [Digit("5"), Digit("#")], what="keys")
    refused = leg.ask("INFO", body=b"<xml/>", kind="application/media_control+xml")
    assert (refused.code, refused.header("Accept")) == (415, "application/dtmf-relay, application/dtmf")
    assert leg.ask("BYE").code == 200


def test_record_route_comes_back_and_is_followed(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer, contact='"Peer, the" <sip:p%20p@192.0.2.77:7000;ob>;expires=60')
    routes = [f"<sip:127.0.0.1:{peer.port};lr;a=1>", "<sip:192.0.2.50;lr>"]
    answer = leg.establish(f"Record-Route: {routes[0]}, {routes[1]}")
    assert answer.header_values("Record-Route") == routes
    desk.calls[0].hangup()
    bye = peer.requested("BYE")
    assert bye.raw_values("Route") == routes
    assert bye.uri.raw == "sip:p%20p@192.0.2.77:7000;ob"
    leg.respond(bye)


def test_answers_go_to_the_source_and_say_so(peer: Peer) -> None:
    leg = Leg(peer)
    leg.send("OPTIONS", via="Via: SIP/2.0/UDP pbx.example.com:9;branch=z9hG4bK-nat;rport")
    via = leg.final("OPTIONS").vias[0]
    assert (via.param("received"), via.param("rport")) == ("127.0.0.1", str(peer.port))
    leg.send("OPTIONS", via="Via: SIP/2.0/UDP 192.168.1.5;branch=z9hG4bK-nat2")
    via = leg.final("OPTIONS").vias[0]
    assert (via.param("received"), via.param("rport")) == ("127.0.0.1", None)


def test_requests_that_belong_to_no_dialog(peer: Peer, phone: Phone) -> None:
    leg = Leg(peer)
    leg.establish()
    stranger = Leg(peer)
    stranger.call_id, stranger.remote_tag = leg.call_id, leg.remote_tag
    assert stranger.ask("BYE").code == 481, "another From tag"
    stranger.remote_tag = "unknown"
    known = len(phone.sip.transactions)
    for method in ("BYE", "INFO", "INVITE", "UPDATE", "OPTIONS"):
        assert stranger.ask(method).code == 481, method
    stranger.send("ACK")
    assert peer.is_answered()
    assert len(phone.live_calls()) == 1
    assert len(phone.sip.transactions) <= known, "strangers leave nothing behind"
    assert leg.ask("BYE").code == 200
    assert leg.ask("BYE").code == 481


def test_a_request_out_of_order_gets_500(peer: Peer) -> None:
    leg = Leg(peer)
    leg.sequence = 10
    leg.establish()
    leg.send("INFO", sequence=3)
    assert leg.final("INFO").code == 500
    assert leg.ask("BYE").code == 200


def test_the_same_invite_over_two_ways_is_one_call(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer)
    leg.invite()
    leg.send("INVITE", sequence=1, body=audio())
    peer.receive(lambda message: message.code == 482, "482")
    leg.ack(leg.final())
    assert len(desk.calls) == 1
    assert leg.ask("BYE").code == 200


def test_bye_before_the_answer(peer: Peer, phone: Phone, desk: Desk) -> None:
    desk.on_call = ringing
    leg = Leg(peer)
    leg.invite()
    leg.remote_tag = peer.receive(lambda message: message.code == 180, "180").to.tag
    leg.send("BYE")
    codes = {(leg.peer.receive(lambda message: message.code >= 200, "answers")).code for _ in range(2)}
    assert codes == {200, 487}
    assert ended(desk) == "caller hung up"
    no_traces(phone)


def test_stopping_says_goodbye(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish()
    until(lambda: not desk.calls[0]._unacknowledged, what="the ACK")
    phone.stop()
    peer.requested("BYE")
    assert ended(desk) == "shutdown"


def test_every_port_is_given_back(peer: Peer, phone: Phone, desk: Desk) -> None:
    def unused() -> int:
        return len(phone.ports._free) + len(phone.ports._draining)

    all_of_them = unused()
    for take in (SipCall.answer, SipCall.deny, ringing):
        desk.on_call = take
        leg = Leg(peer)
        leg.invite()
        if take is ringing:
            leg.send("CANCEL", sequence=1, branch=leg.branch)
        leg.ack(leg.final())
        if take is SipCall.answer:
            assert leg.ask("BYE").code == 200
    until(lambda: unused() == all_of_them, what="all ports")


def test_requests_that_come_again_are_done_once(peer: Peer, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish()
    for _ in range(2):
        assert leg.ask("INFO", body=b"Signal=5", kind="application/dtmf-relay").code == 200
        peer.send(leg.last)
        assert leg.final("INFO").code == 200
    until(lambda: len(desk.events) >= 2, what="keys")
    assert leg.ask("BYE").code == 200
    peer.send(leg.last)
    assert leg.final("BYE").code == 200, "from memory, though the call is gone"
    assert ended(desk) == "caller hung up"
    assert desk.events == [Digit("5"), Digit("5"), Ended("caller hung up")]


@pytest.mark.parametrize(("public", "named"), [("", "127.0.0.1"), ("203.0.113.5", "203.0.113.5")])
def test_the_address_that_others_reach_us_by(desk: Desk, loop: MediaLoop, public: str, named: str) -> None:
    phone = start_phone(desk, loop, host="0.0.0.0", public_address=public)
    peer = Peer(("127.0.0.1", phone.sip.myPort))
    try:
        leg = Leg(peer)
        answer = leg.establish()
        assert answer.contact is not None
        assert answer.contact.uri.address == (named, phone.sip.myPort)
        assert answer.sdp is not None
        assert answer.sdp.media[0].address == named
        assert leg.ask("BYE").code == 200
    finally:
        peer.close()
        phone.stop()


def test_calls_with_the_same_call_id_are_told_apart(peer: Peer, phone: Phone, desk: Desk) -> None:
    first, second = Leg(peer), Leg(peer)
    second.call_id = first.call_id
    first.establish()
    second.establish()
    assert first.remote_tag != second.remote_tag
    assert first.ask("BYE").code == 200
    until(lambda: desk.calls[0].ended, what="end of the first call")
    assert not desk.calls[1].ended
    assert second.ask("BYE").code == 200
    no_traces(phone)
