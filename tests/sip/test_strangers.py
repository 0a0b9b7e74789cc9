"""A phone that trusts nobody beside it: what strangers get over the wire, and what goes on to work."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from tests.sip.conftest import Desk, start_phone
from tests.sip.desk import no_traces, ringing
from tests.sip.messages import request
from tests.sip.peer import Leg, Peer, audio
from tests.sip.registrar import Registrar
from tests.support import until
from voice.media.loop import MediaLoop
from voice.sip import Account, GateRules, Phone, SipMessage
from voice.sip.digest import Challenge, Credentials, authorization_header, challenges_of, strongest

ELSEWHERE = ("10.0.0.0/8",)
Start = Callable[..., tuple[Phone, Peer]]


@pytest.fixture
def start(desk: Desk, loop: MediaLoop) -> Iterator[Start]:
    """Start a phone with these rules and a peer that it does not trust."""
    phones: list[tuple[Phone, Peer]] = []

    def started(account: Account | None = None, registers: bool = True, **rules: object) -> tuple[Phone, Peer]:
        given = GateRules(**{"trusted": ELSEWHERE, **rules})  # type: ignore[arg-type]
        phone = start_phone(desk, loop, gate_rules=given, account=account, registers=registers)
        phones.append((phone, Peer(("127.0.0.1", phone.sip.myPort))))
        return phones[-1]

    yield started
    for phone, peer in phones:
        phone.stop()
        peer.close()


def signed(leg: Leg, challenge: Challenge, method: str, password: str = "wonderland", count: int = 1) -> str:
    who = Credentials("alice", password)
    return ": ".join(authorization_header(challenge, who, method, leg.uri, nonce_count=count, cnonce="c"))


def challenge_in(response: SipMessage) -> Challenge:
    assert response.code == 401
    assert [item.algorithm for item in challenges_of(response)] == ["SHA-256", "MD5"]
    best = strongest(challenges_of(response))
    assert best is not None
    return best


def test_strangers_get_403_and_leave_no_trace(start: Start, desk: Desk) -> None:
    phone, peer = start()
    leg = Leg(peer)
    leg.invite()
    response = leg.final()
    assert response.code == 403
    leg.ack(response)
    assert [peer.ask(method).code for method in ("OPTIONS", "REGISTER", "SUBSCRIBE", "FOO")] == [403] * 4
    assert desk.calls == []
    assert len(phone.sip.transactions) == 0
    assert phone.statistics.strangers == 5
    assert phone.statistics.rejected == {403: 1}
    no_traces(phone)


def test_a_silent_phone_answers_nobody(start: Start, desk: Desk) -> None:
    phone, peer = start(silent=True)
    leg = Leg(peer)
    leg.invite()
    leg.send("CANCEL", branch=leg.branch, sequence=1)
    peer.send(request("OPTIONS", replace={"CSeq": "broken"}))
    peer.send(request("BYE", replace={"To": "<sip:a@h>;tag=x"}))
    until(lambda: phone.statistics.received == 4, what="datagrams")
    phone.gate.set_registered(["127.0.0.1"])
    assert peer.is_answered()
    assert len(peer.heard) == 1
    assert desk.calls == []


def test_who_knows_the_password_calls_through_the_whole_of_a_call(start: Start, desk: Desk) -> None:
    phone, peer = start(accounts={"alice": "wonderland"})
    leg = Leg(peer)
    leg.invite()
    response = leg.final()
    challenge = challenge_in(response)
    leg.ack(response)
    assert desk.calls == []
    leg.remote_tag = ""
    leg.invite(signed(leg, challenge, "INVITE"))
    response = leg.final()
    assert response.code == 200
    leg.ack(response)
    # Within the dialog nobody is asked again.
    assert leg.ask("INFO", body=b"Signal=5\r\n", kind="application/dtmf-relay").code == 200
    assert leg.ask("INVITE", body=audio("a=sendonly")).code == 200
    assert leg.ask("OPTIONS").code == 200
    assert not phone.gate.trusts(desk.calls[0].source[0]), "its identity headers do not count"
    assert leg.ask("BYE").code == 200
    no_traces(phone)


def test_a_call_that_rings_can_be_cancelled(start: Start, desk: Desk) -> None:
    phone, peer = start(accounts={"alice": "wonderland"})
    desk.on_call = ringing
    leg = Leg(peer)
    leg.invite()
    challenge = challenge_in(leg.final())
    leg.remote_tag = ""
    leg.invite(signed(leg, challenge, "INVITE"))
    peer.receive(lambda message: message.code == 180, "180")
    leg.send("CANCEL", branch=leg.branch, sequence=leg.sequence)
    assert leg.final("CANCEL").code == 200
    response = leg.final()
    assert response.code == 487
    leg.ack(response)
    no_traces(phone)


def test_a_wrong_password_and_a_used_nonce(start: Start, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    phone, peer = start(accounts={"alice": "wonderland"})
    leg = Leg(peer)
    leg.send("OPTIONS")
    first = challenge_in(leg.final("OPTIONS"))
    leg.send("OPTIONS", signed(leg, first, "OPTIONS", "looking-glass"))
    assert not challenge_in(leg.final("OPTIONS")).stale
    leg.send("OPTIONS", signed(leg, first, "OPTIONS"))
    assert leg.final("OPTIONS").code == 200
    leg.send("OPTIONS", signed(leg, first, "OPTIONS"))
    second = challenge_in(leg.final("OPTIONS"))
    assert second.stale
    assert second.nonce != first.nonce
    leg.send("OPTIONS", signed(leg, second, "OPTIONS"))
    assert leg.final("OPTIONS").code == 200
    assert phone.statistics.wrong_passwords == 1
    assert "account alice" in caplog.text
    assert "looking-glass" not in caplog.text
    assert "wonderland" not in caplog.text
    assert desk.calls == []


def test_a_flood_of_a_stranger_leaves_the_calls_alone(
    start: Start, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """One address floods, while a call from the very same address and a stranger with a password are served."""
    phone, peer = start(accounts={"alice": "wonderland"}, request_rate=0.1, request_burst=20)
    leg = Leg(peer)
    leg.invite()
    challenge = challenge_in(leg.final())
    leg.remote_tag = ""
    leg.invite(signed(leg, challenge, "INVITE"))
    leg.ack(leg.final())
    caplog.set_level(logging.DEBUG)
    attacker = Peer(peer.server)
    for number in range(2000):
        attacker.send(request("REGISTER", replace={"CSeq": "x"} if number % 2 else {}))
        if number % 100 == 0:
            assert leg.ask("OPTIONS").code == 200
    until(lambda: phone.statistics.limited >= 1900, what="flood dropped")
    attacker.close()
    assert leg.ask("BYE").code == 200
    assert len(caplog.records) <= 30
    assert phone.statistics.faults == 0
    no_traces(phone)


@pytest.mark.parametrize(
    "stray",
    [
        request("ACK"),
        request("ACK", replace={"To": "<sip:1001@192.0.2.1>;tag=x"}),
        request("INVITE").replace(b"INVITE sip:1001@192.0.2.1 SIP/2.0", b"SIP/2.0 200 OK", 1),
    ],
    ids=["ACK", "ACK in a dialog", "response"],
)
def test_what_nothing_waits_for_counts_as_well(start: Start, stray: bytes) -> None:
    """Neither has an answer, but each costs as much as a request that has one."""
    phone, peer = start(request_rate=0.001, request_burst=5)
    for _ in range(20):
        peer.send(stray)
    until(lambda: phone.statistics.limited == 15, what="flood dropped")
    phone.gate.set_registered(["127.0.0.1"])
    assert peer.is_answered(), "who is trusted is not limited"
    assert len(peer.heard) == 1


def test_long_requests_are_read_of_those_alone_who_may_call(start: Start, desk: Desk) -> None:
    phone, peer = start(accounts={"alice": "wonderland"})
    longest, longer = f"Subject: {'a' * 7000}", f"Subject: {'a' * 60000}"
    leg = Leg(peer)
    leg.invite(longer)
    until(lambda: phone.statistics.limited == 1, what="one dropped")
    leg.invite(longest)
    challenge = challenge_in(leg.final())
    leg.remote_tag = ""
    leg.invite(signed(leg, challenge, "INVITE"))
    leg.ack(leg.final())
    assert leg.ask("OPTIONS", longer).code == 200, "of a call"
    phone.gate.set_registered(["127.0.0.1"])
    assert peer.ask("OPTIONS", longer).code == 200
    assert leg.ask("BYE").code == 200
    no_traces(phone)


def test_a_scanner_hears_nothing(start: Start, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    phone, peer = start()
    for _ in range(100):
        peer.send(request("INVITE", "sip:9011@127.0.0.1", "User-Agent: friendly-scanner", body=audio()))
    until(lambda: phone.statistics.scanners == 100, what="scanner")
    assert peer.ask("OPTIONS").code == 403
    assert len(peer.heard) == 1
    assert len([line for line in caplog.messages if "scanner" in line]) == 1


def test_the_pbx_that_we_register_with_calls_as_a_trusted_one(start: Start, desk: Desk) -> None:
    registrar = Peer(("127.0.0.1", 0))
    phone, peer = start(account=Account(f"127.0.0.1:{registrar.port}", "vm", "s3cret"))
    # Before we register as well: a call that comes while we start is to hear 503, and not that it may not call.
    phone.accepting = False
    assert peer.ask("OPTIONS").code == 503
    phone.accepting = True
    phone.register()
    registrar.requested("REGISTER")
    leg = Leg(peer)
    leg.establish()
    assert phone.gate.trusts(desk.calls[0].source[0])
    assert leg.ask("BYE").code == 200
    registrar.close()


def test_so_it_does_with_a_worker_that_leaves_it_to_another_to_register(start: Start, desk: Desk) -> None:
    registrar = Registrar()
    account = Account(f"localhost:{registrar.port}", "vm", "s3cret")
    phone, peer = start(account=account, registers=False)
    phone.register()
    until(lambda: phone.gate.trusts("127.0.0.1"), what="the registrar to be looked up")
    leg = Leg(peer)
    leg.establish()
    assert phone.place_of(desk.calls[0]) == account.place, "where its numbers are"
    assert leg.ask("BYE").code == 200
    assert phone.registration is None
    assert registrar.rest() == []
    registrar.close()
