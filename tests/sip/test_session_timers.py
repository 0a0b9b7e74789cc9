"""Session timers over a real socket (RFC 4028): taken, refused, refreshed by either side, run out."""

from __future__ import annotations

import pytest

from tests.sip.conftest import Desk
from tests.sip.desk import ended, no_traces
from tests.sip.messages import parsed, request
from tests.sip.peer import Leg, Peer, audio
from voice.sip import Phone, SipMessage
from voice.sip.session_timer import Interval, asked_of_us

KNOWN = "Supported: 100rel, timer"
UPDATES = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE"


def timer_of(answer: SipMessage) -> tuple[str | None, str | None]:
    return answer.header("Session-Expires"), answer.header("Require")


@pytest.mark.parametrize(
    ("headers", "answered"),
    [
        ((KNOWN, "Session-Expires: 1800"), ("1800;refresher=uac", "timer")),
        ((KNOWN, "x: 90 ; Refresher=UAC;other"), ("90;refresher=uac", "timer")),
        ((KNOWN, "Min-SE: 90", "Session-Expires: 1800;refresher=uas", UPDATES), ("1800;refresher=uas", "timer")),
        (("Require: timer", "Session-Expires: 1800"), ("1800;refresher=uac", "timer")),
        (("Session-Expires: 1800", UPDATES), ("1800;refresher=uas", None)),
        ((KNOWN,), (None, None)),
        (("Session-Expires: 1800",), (None, None)),
        ((KNOWN, "Session-Expires: 1800;refresher=uas"), (None, None)),
        (("Session-Expires: 1", UPDATES), (None, None)),
    ],
    ids=[
        "no refresher",
        "compact",
        "uas",
        "required",
        "a proxy asks for a caller who has none",
        "supported only",
        "a proxy asks, no UPDATE",
        "uas, no UPDATE",
        "a proxy asks for too little",
    ],
)
def test_what_is_answered(peer: Peer, headers: tuple[str, ...], answered: tuple[str | None, str | None]) -> None:
    leg = Leg(peer)
    answer = leg.establish(*headers)
    assert timer_of(answer) == answered
    assert answer.header("Supported") == "timer"
    assert leg.ask("BYE").code == 200


def test_too_short_an_interval_gets_422_in_and_outside_of_a_dialog(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.invite(KNOWN, "Session-Expires: 1")
    refused = leg.final()
    assert (refused.code, refused.header("Min-SE")) == (422, "2")
    leg.ack(refused)
    assert desk.calls == []
    leg.remote_tag = ""
    leg.establish(KNOWN, "Session-Expires: 30", "Min-SE: 2")
    for method in ("INVITE", "UPDATE"):
        refused = leg.ask(method, KNOWN, "Session-Expires: 1", body=audio("a=sendonly"))
        assert (refused.code, refused.header("Min-SE")) == (422, "2"), method
    assert desk.events == [], "nothing of what was refused is done"
    assert leg.ask("BYE").code == 200
    no_traces(phone)


def test_the_shortest_interval_by_default() -> None:
    invite = parsed(request("INVITE", "sip:1001@192.0.2.1", KNOWN, "Session-Expires: 90"))
    assert asked_of_us(invite, 90) == Interval(90, ours=False)


@pytest.mark.parametrize("value", ["", "soon", "-1", "90.5", "9" * 12])
def test_an_interval_that_cannot_be_read(peer: Peer, phone: Phone, value: str) -> None:
    assert peer.ask("INVITE", KNOWN, f"Session-Expires: {value}", body=audio()).code == 400
    assert not phone.live_calls()


def test_a_call_whose_refreshes_stay_away_is_ended(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish(KNOWN, "Session-Expires: 2;refresher=uac")
    leg.respond(peer.requested("BYE"))
    assert ended(desk) == "session expired"
    no_traces(phone)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_refresh_prolongs_the_session(peer: Peer, desk: Desk, method: str) -> None:
    leg = Leg(peer)
    leg.establish(KNOWN, "Session-Expires: 300")
    timer = desk.calls[0]._session_timer
    (first,) = timer._pending
    body = audio() if method == "INVITE" else b""
    assert timer_of(leg.ask(method, KNOWN, "Session-Expires: 600;refresher=uac", body=body)) == (
        "600;refresher=uac",
        "timer",
    )
    (second,) = timer._pending
    assert first.callback is None
    assert second.due > first.due + 100
    # A refresh without the header ends the timer (section 7.4), not the session.
    assert timer_of(leg.ask(method, KNOWN, body=body)) == (None, None)
    assert (timer._pending, second.callback) == ([], None)
    assert leg.ask("BYE").code == 200


def test_we_refresh_where_we_are_asked_to(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    answer = leg.establish(KNOWN, UPDATES, "Session-Expires: 4;refresher=uas")
    update = peer.requested("UPDATE")
    assert (update.call_id, update.from_.tag, update.to.tag) == (leg.call_id, answer.to.tag, leg.tag)
    assert (update.header("Session-Expires"), update.header("Supported")) == ("4;refresher=uac", "timer")
    assert update.contact is not None
    assert update.contact.uri.address == ("127.0.0.1", phone.sip.myPort)
    assert update.content == b""
    leg.respond(update, "200 OK", "Session-Expires: 600;refresher=uac", "Require: timer")
    assert leg.ask("OPTIONS").code == 200
    assert len(desk.calls[0]._session_timer._pending) == 2
    assert leg.ask("BYE").code == 200
    no_traces(phone)


def test_our_refresh_is_tried_again_with_a_longer_interval(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish(KNOWN, UPDATES, "Session-Expires: 5;refresher=uas")
    leg.respond(peer.requested("UPDATE"), "422 Session Interval Too Small", "Min-SE: 90")
    second = peer.requested("UPDATE")
    assert (second.header("Session-Expires"), second.cseq) == ("90;refresher=uac", (2, "UPDATE"))
    leg.respond(second, "491 Request Pending")
    leg.respond(peer.requested("UPDATE"), "200 OK")
    assert leg.ask("OPTIONS").code == 200
    assert desk.calls[0]._session_timer._pending == [], "a 2xx without the header: no timer any more"
    assert leg.ask("BYE").code == 200
    no_traces(phone)


@pytest.mark.parametrize("status", ["481 Gone", "408 Request Timeout", "nothing"])
def test_the_other_side_is_gone(peer: Peer, phone: Phone, desk: Desk, status: str) -> None:
    leg = Leg(peer)
    leg.establish(KNOWN, UPDATES, "Session-Expires: 2;refresher=uas")
    update = peer.requested("UPDATE")
    if status != "nothing":
        leg.respond(update, status)
    leg.respond(peer.requested("BYE"))
    assert ended(desk) == "session expired"
    no_traces(phone)


def test_a_call_that_is_over_has_no_timer(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish(KNOWN, UPDATES, "Session-Expires: 2;refresher=uas")
    pending = list(desk.calls[0]._session_timer._pending)
    assert len(pending) == 2
    assert leg.ask("BYE").code == 200
    no_traces(phone)
    assert [timer.callback for timer in pending] == [None, None]
