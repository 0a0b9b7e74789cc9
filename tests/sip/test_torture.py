"""RFC 4475: every message gets the answer that a server is to give, and the phone lives on."""

from __future__ import annotations

import pytest

from tests.sip.conftest import Desk
from tests.sip.peer import Peer
from tests.sip.torture import ALL, SIGNATURE, WSINV, Torture
from voice.sip import Phone, SipCall, SipError, SipMessage


@pytest.mark.parametrize("torture", ALL, ids=lambda torture: torture.name)
def test_the_answer(peer: Peer, phone: Phone, desk: Desk, torture: Torture) -> None:
    desk.on_call = SipCall.deny
    peer.send(torture.data)
    if torture.status:
        assert peer.receive_status() == torture.status
    assert peer.is_answered()
    if not torture.status:
        assert len(peer.heard) == 1, "only the OPTIONS was answered"
    assert phone.statistics.faults == 0


def test_the_short_tortuous_invite_is_read_rightly() -> None:
    message = SipMessage(WSINV)
    assert (message.cseq, message.header("Max-Forwards"), message.header("Subject")) == ((9, "INVITE"), "0068", "")
    assert (message.to.uri.raw, message.to.tag) == ("sip:vivekg@chair-dnrc.example.com", "1918181833n")
    assert (message.from_.display, message.from_.tag) == ('J Rosenberg \\"', "98asjd8")
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.header("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.contact is not None
    assert message.contact.display == 'Quoted string ""'
    assert message.contact.params == {"newparam": "newvalue", "secondparam": "", "q": "0.33"}
    assert message.sdp is not None
    assert [line.kind for line in message.sdp.media] == ["audio", "video"]


def test_a_body_of_several_parts_with_any_octets_is_read_rightly() -> None:
    parts = SipMessage(named("mpart01")).parts
    assert [(part.media_type, part.content) for part in parts] == [
        ("text/plain", b"Hello"),
        ("application/octet-stream", SIGNATURE),
    ]


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [("unreason", 200, "= 2**3 * 5**2 но сто девяносто девять - простое"), ("noreason", 100, "")],
)
def test_a_response_with_a_strange_reason_or_none_is_one(name: str, code: int, reason: str) -> None:
    message = SipMessage(named(name))
    assert (message.is_request, message.code, message.reason) == (False, code, reason)


@pytest.mark.parametrize("name", ["bigcode", "scalarlg"])
def test_a_response_with_numbers_out_of_range_is_none(name: str) -> None:
    with pytest.raises(SipError):
        SipMessage(named(name))


def named(name: str) -> bytes:
    return next(torture.data for torture in ALL if torture.name == name)


def test_one_datagram_is_one_message(peer: Peer, desk: Desk) -> None:
    peer.send(named("dblreq"))
    assert peer.receive_status() == 405
    assert peer.is_answered()
    assert desk.calls == [], "the INVITE behind the first message is no message"
