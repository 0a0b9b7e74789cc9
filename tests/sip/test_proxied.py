"""Calls that came to a proxy over TCP, TLS or WebSocket and to us over UDP (RFC 3261 section 18, RFC 7118)."""

from __future__ import annotations

import pytest

from tests.sip.conftest import Desk
from tests.sip.desk import no_traces
from tests.sip.peer import Leg, Peer, audio
from tests.support import until
from voice.sip import Phone

BELOW = {
    "TCP": "SIP/2.0/TCP 198.51.100.7:51234;branch=z9hG4bKnashds8;alias",
    "TLS": "SIP/2.0/TLS phone.example.com;branch=z9hG4bK-d8754z;rport=40112;received=198.51.100.7",
    "WS": "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks;keep",
}
CONTACTS = {
    "TCP": "<sip:2000@198.51.100.7:51234;transport=tcp;ob>",
    "TLS": '"Carol" <sips:2000@phone.example.com:5061;transport=tls>',
    "WS": "<sip:2000@df7jal23ls0d.invalid;transport=ws;alias=198.51.100.7~40112~5>",
}


@pytest.mark.parametrize("kind", list(BELOW))
def test_the_whole_call(peer: Peer, phone: Phone, desk: Desk, kind: str) -> None:
    leg = Leg(peer, contact=CONTACTS[kind])
    proxy = f"<sip:127.0.0.1:{peer.port};r2=on;lr>"
    outside = f"<sip:192.0.2.1:443;transport={kind.lower()};r2=on;lr>"
    answer = leg.establish(f"Via: {BELOW[kind]}", f"Record-Route: {proxy}", f"Record-Route: {outside}")
    assert answer.raw_values("Via")[1:] == [BELOW[kind]], "what is below is echoed as it came"
    assert answer.raw_values("Record-Route") == [proxy, outside]
    assert answer.contact is not None
    assert answer.contact.uri.address == ("127.0.0.1", phone.sip.myPort)
    assert leg.ask("INVITE", f"Via: {BELOW[kind]}", body=audio("a=sendonly")).code == 200
    desk.calls[0].hangup()
    bye = peer.requested("BYE")
    assert f"<{bye.uri.raw}>" in CONTACTS[kind]
    assert bye.raw_values("Route") == [proxy, outside]
    leg.respond(bye)
    no_traces(phone)


@pytest.mark.parametrize("kind", list(BELOW))
def test_without_record_route_our_bye_goes_to_where_the_call_came_from(peer: Peer, desk: Desk, kind: str) -> None:
    leg = Leg(peer, contact=CONTACTS[kind])
    leg.establish(f"Via: {BELOW[kind]}")
    until(lambda: not desk.calls[0]._unacknowledged, what="the ACK")
    desk.calls[0].hangup()
    leg.respond(peer.requested("BYE"))


def test_a_secure_request_uri(peer: Peer) -> None:
    leg = Leg(peer, uri="sips:1001@voicemail.example.com;transport=tls")
    leg.establish()
    assert leg.ask("BYE").code == 200


def test_a_long_invite_with_many_hops(peer: Peer) -> None:
    """Far over the 1300 bytes of RFC 3261 section 18.1.1: what came in fragments is taken as well."""
    leg = Leg(peer)
    hops = [f"Via: SIP/2.0/TCP hop{number}.example.com;branch=z9hG4bK{'x' * 60}{number}" for number in range(60)]
    identity = "Identity: " + "a" * 6000
    candidates = [f"a=candidate:{number} 1 UDP 1 192.0.2.1 {5000 + number} typ host" for number in range(200)]
    answer = leg.establish(*hops, identity, body=audio(*candidates))
    assert len(answer.raw_values("Via")) == 61
    assert leg.ask("BYE").code == 200
