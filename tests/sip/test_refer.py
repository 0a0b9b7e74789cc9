"""REFER is declined, never acted on (RFC 3515)."""

from __future__ import annotations

import pytest

from tests.sip.conftest import Desk
from tests.sip.desk import no_traces
from tests.sip.peer import Leg, Peer
from voice.sip import Phone

TARGET = "Refer-To: <sip:+4930900123@premium.example>"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((TARGET,), 603),
        (("r: <sip:1@h?Replaces=a%3Bto-tag%3Db>", "Referred-By: <sip:2000@h>"), 603),
        (("Refer-To: <sip:1@h>, <sip:2@h>",), 400),
        ((TARGET, TARGET), 400),
        ((), 400),
    ],
)
def test_in_and_outside_of_a_dialog(
    peer: Peer, phone: Phone, desk: Desk, headers: tuple[str, ...], status: int
) -> None:
    assert peer.ask("REFER", *headers).code == status
    leg = Leg(peer)
    leg.establish()
    refused = leg.ask("REFER", *headers)
    assert refused.code == status
    assert "REFER" not in (leg.ask("OPTIONS").header("Allow") or "REFER"), "nobody is to offer us a transfer"
    assert (len(desk.calls), desk.events) == (1, [])
    assert all(not message.is_request for message in peer.heard), "nothing was asked of anybody"
    assert leg.ask("BYE").code == 200
    no_traces(phone)


def test_in_an_unknown_dialog(peer: Peer) -> None:
    leg = Leg(peer)
    leg.remote_tag = "unknown"
    assert leg.ask("REFER", TARGET).code == 481
