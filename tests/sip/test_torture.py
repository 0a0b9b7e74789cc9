"""RFC 4475: every message gets the answer that a server is to give, and the phone lives on."""

from __future__ import annotations

import pytest

from tests.sip.conftest import Desk
from tests.sip.peer import Peer
from tests.sip.torture import ALL, WSINV, Torture
from voice.sip import Phone, SipCall, SipMessage


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


def test_one_datagram_is_one_message(peer: Peer, desk: Desk) -> None:
    peer.send(next(torture.data for torture in ALL if torture.name == "dblreq"))
    assert peer.receive_status() == 405
    assert peer.is_answered()
    assert desk.calls == [], "the INVITE behind the first message is no message"
