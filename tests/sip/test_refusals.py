"""What is refused, and how (RFC 3261 sections 8.2 and 21)."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest

from tests.sip.conftest import Desk
from tests.sip.peer import Leg, Peer, audio
from tests.support import until
from voice.sip import Phone, SipCall
from voice.sip.response import ALLOWED

ALLOW = ", ".join(ALLOWED)


def test_options(peer: Peer) -> None:
    answer = peer.ask("OPTIONS")
    assert (answer.code, answer.header("Allow")) == (200, ALLOW)
    assert "application/sdp" in (answer.header("Accept") or "")
    assert answer.header("Supported") == "timer"
    assert answer.to.tag


@pytest.mark.parametrize("method", ["REGISTER", "PUBLISH", "MESSAGE", "PRACK"])
def test_methods_that_are_known_but_not_served(peer: Peer, method: str) -> None:
    answer = peer.ask(method)
    assert (answer.code, answer.header("Allow")) == (405, ALLOW)


@pytest.mark.parametrize("method", ["FLY", "invite", "!interesting-Method0123456789_*+`.%indeed'~"])
def test_unknown_methods(peer: Peer, method: str) -> None:
    answer = peer.ask(method)
    assert (answer.code, answer.header("Allow")) == (501, ALLOW)


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "NOTIFY"])
def test_requests_that_need_a_dialog(peer: Peer, method: str) -> None:
    assert peer.ask(method).code == 481


def test_a_cancel_of_nothing(peer: Peer) -> None:
    assert peer.ask("CANCEL").code == 481


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_extensions_that_are_required(peer: Peer, method: str, desk: Desk) -> None:
    answer = peer.ask(method, "Require: 100rel, foo", "Require: bar", body=audio() if method == "INVITE" else b"")
    assert (answer.code, answer.header("Unsupported")) == (420, "100rel, foo, bar")
    assert desk.calls == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (audio(formats="18"), "application/sdp", 488),
        (audio(port=99999), "application/sdp", 488),
        (audio(address="2001:db8::1"), "application/sdp", 488),
        (audio().replace(b"c=IN IP4 127.0.0.1\r\n", b""), "application/sdp", 488),
        (audio().replace(b"RTP/AVP", b"RTP/SAVPF"), "application/sdp", 488),
        (audio().replace(b"m=audio", b"m=video"), "application/sdp", 488),
        (b"nonsense", "application/sdp", 400),
        (b"nonsense", "multipart/mixed;boundary=x", 400),
        (b"hello", "text/plain", 415),
        (b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--", "multipart/mixed;boundary=x", 415),
    ],
)
def test_bodies_that_cannot_be_taken(peer: Peer, phone: Phone, desk: Desk, body: bytes, kind: str, status: int) -> None:
    leg = Leg(peer)
    leg.send("INVITE", body=body, kind=kind)
    refused = leg.final()
    assert refused.code == status
    leg.ack(refused)
    if status == 415:
        assert refused.header("Accept") == "application/sdp"
    assert desk.calls == []
    assert phone.statistics.rejected == {status: 1}
    assert not phone.calls
    assert not phone.live_calls()


def test_as_many_calls_as_there_may_be(peer: Peer, phone: Phone) -> None:
    legs = [Leg(peer) for _ in range(phone.max_calls)]
    for leg in legs:
        leg.establish()
    full = peer.ask("INVITE", body=audio())
    assert (full.code, full.header("Retry-After")) == (503, "30")
    assert legs[0].ask("BYE").code == 200
    late = Leg(peer)
    late.establish()
    for leg in [*legs[1:], late]:
        assert leg.ask("BYE").code == 200


def test_no_rtp_port_is_free(peer: Peer, phone: Phone) -> None:
    while phone.ports.take() is not None:
        pass
    refused = peer.ask("INVITE", body=audio())
    assert (refused.code, refused.header("Retry-After")) == (503, "30")
    assert not phone.calls
    assert not phone.live_calls()


def test_an_rtp_port_that_somebody_else_has_is_passed_over(peer: Peer, phone: Phone) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        taken = phone.ports._free[0]

        def bound() -> bool:
            # The audio of the calls of another test may close its port at this moment.
            with suppress(OSError):
                other.bind(("127.0.0.1", taken))
            return other.getsockname()[1] == taken

        until(bound, what="the port")
        leg = Leg(peer)
        answer = leg.establish()
        assert answer.sdp is not None
        assert answer.sdp.media[0].port != taken
        assert leg.ask("BYE").code == 200


def test_while_it_stops_it_refuses(peer: Peer, phone: Phone) -> None:
    phone.accepting = False
    for method in ("INVITE", "OPTIONS"):
        refused = peer.ask(method, body=audio() if method == "INVITE" else b"")
        assert (refused.code, refused.header("Retry-After")) == (503, "30"), method


def test_a_transaction_table_that_is_full(peer: Peer, phone: Phone, desk: Desk) -> None:
    phone.sip.transactions._limit = 0
    assert peer.ask("INVITE", body=audio()).code == 503
    assert peer.is_answered()
    assert desk.calls == []


def test_a_refused_invite_is_repeated_until_its_ack_and_answered_from_memory(peer: Peer, desk: Desk) -> None:
    desk.on_call = SipCall.deny
    leg = Leg(peer)
    leg.invite()
    tags = {leg.final().to.tag, leg.final().to.tag}
    peer.send(leg.last)
    response = leg.final()
    assert {*tags, response.to.tag} == tags
    assert len(tags) == len(desk.calls) == 1
    leg.ack(response)
    assert peer.is_answered()


@pytest.mark.parametrize("scheme", ["http://example.com/", "mailto:a@b", "nobodyKnowsThisScheme:totallyopaquecontent"])
def test_request_uris_of_other_schemes(peer: Peer, scheme: str) -> None:
    leg = Leg(peer, uri=scheme)
    leg.send("OPTIONS")
    assert leg.final("OPTIONS").code == 416


def test_a_number_as_request_uri(peer: Peer, desk: Desk) -> None:
    called: list[str] = []

    def answer(call: SipCall) -> None:
        called.append(call.request.uri.user)
        call.answer()

    desk.on_call = answer
    leg = Leg(peer, uri="tel:+4930123;phone-context=example.com")
    leg.establish()
    assert called == ["+4930123"]
    assert leg.ask("BYE").code == 200


def test_a_loose_answer_moves_nothing(peer: Peer, phone: Phone) -> None:
    """Responses to nothing, and responses that we should never see."""
    leg = Leg(peer)
    leg.establish()
    for status in ("100 Trying", "200 OK", "487 No", "699 ?"):
        peer.send(leg.last.replace(leg.last.split(b"\r\n")[0], f"SIP/2.0 {status}".encode(), 1))
    assert peer.is_answered()
    assert len(phone.live_calls()) == 1
    assert leg.ask("BYE").code == 200
