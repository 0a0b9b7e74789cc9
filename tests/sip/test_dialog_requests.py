"""A PBX that asks for our password where we hang up or refresh a session (RFC 3261, 22.2 and 22.3)."""

from __future__ import annotations

import pytest

from tests.sip.conftest import Desk
from tests.sip.desk import ended, no_traces
from tests.sip.peer import Leg, Peer
from voice.sip import Credentials, Phone, SipMessage
from voice.sip.authentication import MAX_ROUNDS
from voice.sip.challengers import Challengers

CHALLENGE = 'Digest realm="pbx", nonce="n1", qop="auth", algorithm=MD5'
REFRESHED_BY_US = (
    "Supported: timer",
    "Allow: INVITE, ACK, BYE, CANCEL, UPDATE",
    "Session-Expires: 4;refresher=uas",
)
UNAUTHORIZED = ("401 Unauthorized", f"WWW-Authenticate: {CHALLENGE}")
CHALLENGES = pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [
        ("401 Unauthorized", "WWW-Authenticate", "Authorization"),
        ("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"),
    ],
)


@pytest.fixture
def leg(peer: Peer, phone: Phone, desk: Desk) -> Leg:
    """A call whose session we refresh, at a phone that has a password."""
    phone.credentials = Credentials("voicemail", "secret")
    made = Leg(peer)
    made.establish(*REFRESHED_BY_US)
    return made


def requested(leg: Leg, desk: Desk, method: str) -> SipMessage:
    """The first BYE or UPDATE of the call: it refreshes by itself."""
    if method == "BYE":
        desk.calls[0].hangup()
    return leg.peer.requested(method)


def is_pending(phone: Phone) -> bool:
    return bool(phone.calls)


@pytest.mark.parametrize("method", ["BYE", "UPDATE"])
@CHALLENGES
def test_a_challenge_is_answered(
    leg: Leg, desk: Desk, phone: Phone, method: str, status: str, asks: str, answers: str
) -> None:
    first = requested(leg, desk, method)
    assert first.header(answers) is None
    leg.respond(first, status, f"{asks}: {CHALLENGE}")
    again = leg.peer.requested(method)
    answer = again.header(answers) or ""
    assert 'username="voicemail"' in answer
    assert f'uri="{first.uri.raw}"' in answer
    assert again.cseq == (first.cseq[0] + 1, method)
    assert again.header("Session-Expires") == first.header("Session-Expires")
    assert is_pending(phone), "until its answer"
    if method == "UPDATE":
        leg.respond(again, "200 OK", "Session-Expires: 600;refresher=uac", "Require: timer")
        assert leg.ask("OPTIONS").code == 200
        assert len(desk.calls[0]._session_timer._pending) == 2
        assert leg.ask("BYE").code == 200
    else:
        leg.respond(again)
        assert ended(desk) == "we hung up"
    no_traces(phone)


def test_what_was_asked_for_once_is_answered_from_then_on(leg: Leg, desk: Desk, phone: Phone) -> None:
    leg.respond(leg.peer.requested("UPDATE"), *UNAUTHORIZED)
    update = leg.peer.requested("UPDATE")
    leg.respond(update, "200 OK", "Session-Expires: 600;refresher=uac", "Require: timer")
    bye = requested(leg, desk, "BYE")
    assert "nc=00000001" in (update.header("Authorization") or "")
    assert "nc=00000002" in (bye.header("Authorization") or "")
    leg.respond(bye)
    no_traces(phone)


def test_an_old_challenge_that_is_replaced(leg: Leg, desk: Desk, phone: Phone) -> None:
    leg.respond(requested(leg, desk, "BYE"), *UNAUTHORIZED)
    leg.respond(leg.peer.requested("BYE"), UNAUTHORIZED[0], f"{UNAUTHORIZED[1]}, stale=true".replace("n1", "n2"))
    bye = leg.peer.requested("BYE")
    assert 'nonce="n2"' in (bye.header("Authorization") or "")
    leg.respond(bye)
    no_traces(phone)


def test_wrong_credentials_end_the_call_here(leg: Leg, desk: Desk, phone: Phone) -> None:
    leg.respond(requested(leg, desk, "BYE"), *UNAUTHORIZED)
    leg.respond(leg.peer.requested("BYE"), *UNAUTHORIZED)
    no_traces(phone)
    assert count(leg.peer, "BYE") == 2


def test_wrong_credentials_end_no_session_before_its_time(leg: Leg, desk: Desk, phone: Phone) -> None:
    leg.respond(leg.peer.requested("UPDATE"), *UNAUTHORIZED)
    leg.respond(leg.peer.requested("UPDATE"), *UNAUTHORIZED)
    # An eighth of the interval later, as after any other refusal.
    later = leg.peer.requested("UPDATE")
    leg.respond(later, "200 OK", "Session-Expires: 600;refresher=uac", "Require: timer")
    assert leg.ask("OPTIONS").code == 200
    assert desk.events == []
    assert leg.ask("BYE").code == 200
    no_traces(phone)


def test_a_bye_that_is_challenged_for_ever(leg: Leg, desk: Desk, phone: Phone) -> None:
    bye = requested(leg, desk, "BYE")
    for number in range(MAX_ROUNDS):
        leg.respond(bye, "401 Unauthorized", f'WWW-Authenticate: Digest realm="pbx", nonce="{number}", stale=true')
        bye = leg.peer.requested("BYE")
    leg.respond(bye, "401 Unauthorized", 'WWW-Authenticate: Digest realm="pbx", nonce="last", stale=true')
    no_traces(phone)
    assert leg.peer.is_answered()
    assert count(leg.peer, "BYE") == MAX_ROUNDS + 1


@pytest.mark.parametrize("answer", [UNAUTHORIZED, ("401 Unauthorized",), ("407 Proxy Authentication Required",)])
def test_a_bye_that_no_password_helps(peer: Peer, phone: Phone, desk: Desk, answer: tuple[str, ...]) -> None:
    """There is none, or nothing is asked for."""
    phone.credentials = Credentials("voicemail", "" if answer == UNAUTHORIZED else "secret")
    leg = Leg(peer)
    leg.establish()
    leg.respond(requested(leg, desk, "BYE"), *answer)
    no_traces(phone)
    assert count(peer, "BYE") == 1


@pytest.mark.parametrize("method", ["BYE", "UPDATE"])
def test_our_password_is_for_the_registrar_alone(leg: Leg, desk: Desk, phone: Phone, method: str) -> None:
    phone.challengers = Challengers(phone.gate.may_call, ["registrar"])
    phone.challengers.know("registrar", ["192.0.2.1"])
    leg.respond(requested(leg, desk, method), *UNAUTHORIZED)
    if method == "UPDATE":
        leg.respond(leg.peer.requested("UPDATE"), "200 OK")
        assert leg.ask("BYE").code == 200
    no_traces(phone)
    assert leg.peer.is_answered()
    assert all(message.header("Authorization") is None for message in leg.peer.heard if message.method)


def test_an_answer_to_the_registrar_does_not_follow_the_other_side_elsewhere(
    leg: Leg, desk: Desk, phone: Phone
) -> None:
    """Whoever has the call may move its Contact: he would get what the PBX asked for."""
    leg.respond(leg.peer.requested("UPDATE"), *UNAUTHORIZED)
    update = leg.peer.requested("UPDATE")
    assert update.header("Authorization")
    leg.respond(update, "200 OK", "Session-Expires: 600;refresher=uac", "Require: timer")
    assert leg.ask("OPTIONS").code == 200
    phone.challengers = Challengers(phone.gate.may_call, ["registrar"])
    phone.challengers.know("registrar", ["192.0.2.1"])
    bye = requested(leg, desk, "BYE")
    assert bye.header("Authorization") is None
    leg.respond(bye)
    no_traces(phone)


def test_a_refresh_is_not_sent_again_behind_our_bye(leg: Leg, desk: Desk, phone: Phone) -> None:
    update = leg.peer.requested("UPDATE")
    bye = requested(leg, desk, "BYE")
    leg.respond(update, *UNAUTHORIZED)
    leg.respond(bye)
    no_traces(phone)
    assert leg.peer.is_answered()
    assert count(leg.peer, "UPDATE") == 1


def test_nothing_is_sent_again_once_the_other_side_hung_up(leg: Leg, desk: Desk, phone: Phone) -> None:
    update = leg.peer.requested("UPDATE")
    assert leg.ask("BYE").code == 200
    leg.respond(update, *UNAUTHORIZED)
    no_traces(phone)
    assert leg.peer.is_answered()
    assert count(leg.peer, "UPDATE") == 1


def test_a_call_that_nobody_challenges_keeps_nothing_for_it(leg: Leg, desk: Desk, phone: Phone) -> None:
    leg.respond(leg.peer.requested("UPDATE"), "200 OK")
    assert leg.ask("OPTIONS").code == 200
    assert desk.calls[0]._requests._authenticator is None
    assert leg.ask("BYE").code == 200


def count(peer: Peer, method: str) -> int:
    """How many requests of this method came, without repetitions."""
    return len({message.vias[0].branch for message in peer.heard if message.method == method})
