"""Our own challenges: who knows the password gets in, once a nonce count, and nothing is remembered of strangers."""

from __future__ import annotations

import dataclasses

import pytest

from tests.sip.messages import SOURCE, parsed, request
from voice.sip import SipError, SipMessage
from voice.sip.digest import Challenge, Credentials, authorization_header, parse_challenges, strongest
from voice.sip.digest_server import Authenticator, Nonces, Verdict

KEY, SALT = b"k" * 32, b"123456"
PEER = SOURCE[0]
ALICE = Credentials("alice", "wonderland")


@pytest.fixture
def door() -> Authenticator:
    return Authenticator("vm.example.com", {"alice": "wonderland", "bob": "builder"}, KEY, lifetime=60.0)


def challenged(door: Authenticator, now: float = 1000.0, salt: bytes = SALT) -> list[Challenge]:
    return parse_challenges([value for _, value in door.challenges(now, salt, PEER)])


def invite(asked: Challenge, who: Credentials = ALICE, count: int = 1, **changes: str) -> SipMessage:
    uri = changes.get("uri", "sip:1001@192.0.2.1")
    name, value = authorization_header(asked, who, changes.get("method", "INVITE"), uri, nonce_count=count, cnonce="c")
    return parsed(request("INVITE", "sip:1001@192.0.2.1", f"{name}: {value}"))


def test_a_challenge_stands_for_each_algorithm_strongest_first(door: Authenticator) -> None:
    headers = door.challenges(1000.0, SALT, PEER, stale=True)
    assert {name for name, _ in headers} == {"WWW-Authenticate"}
    found = parse_challenges([value for _, value in headers])
    assert [(item.algorithm, item.qop, item.realm, item.stale) for item in found] == [
        ("SHA-256", ("auth",), "vm.example.com", True),
        ("MD5", ("auth",), "vm.example.com", True),
    ]
    assert not any(item.stale for item in challenged(door))


@pytest.mark.parametrize("which", [0, 1])
def test_the_right_password_is_right_with_either_algorithm(door: Authenticator, which: int) -> None:
    checked = door.check(invite(challenged(door)[which]), 1001.0)
    assert (checked.verdict, checked.username) == (Verdict.RIGHT, "alice")


def test_a_client_without_qop_is_served_once_a_nonce(door: Authenticator) -> None:
    """RFC 3261 section 22.4: clients of RFC 2543 know no qop."""
    old = dataclasses.replace(challenged(door)[1], qop=(), algorithm="")
    assert door.check(invite(old), 1001.0).verdict is Verdict.RIGHT
    assert door.check(invite(old), 1001.0).verdict is Verdict.STALE


@pytest.mark.parametrize(
    "who",
    [
        Credentials("alice", "builder"),
        Credentials("nobody", "wonderland"),
        Credentials("", ""),
        Credentials("alice", ""),
    ],
)
def test_a_wrong_name_or_password_is_wrong(door: Authenticator, who: Credentials) -> None:
    assert door.check(invite(challenged(door)[0], who), 1001.0).verdict is Verdict.WRONG


def test_the_response_is_bound_to_the_method(door: Authenticator) -> None:
    assert door.check(invite(challenged(door)[0], method="OPTIONS"), 1001.0).verdict is Verdict.WRONG


def test_no_credentials_for_us_are_missing(door: Authenticator) -> None:
    assert door.check(parsed(request("INVITE")), 1.0).verdict is Verdict.MISSING
    assert door.check(parsed(request("INVITE", "sip:a@h", "Authorization: Basic YTpi")), 1.0).verdict is Verdict.MISSING
    other = dataclasses.replace(challenged(door)[0], realm="elsewhere")
    assert door.check(invite(other), 1001.0).verdict is Verdict.MISSING
    with pytest.raises(SipError):
        door.check(parsed(request("INVITE", "sip:a@h", "Authorization: Digest realm=x")), 1.0)


@pytest.mark.parametrize("algorithm", ["SHA-512-256", "MD5-sess", "SHA-256-sess"])
def test_an_algorithm_that_was_not_offered_is_wrong(door: Authenticator, algorithm: str) -> None:
    other = dataclasses.replace(challenged(door)[0], algorithm=algorithm)
    assert door.check(invite(other), 1001.0).verdict is Verdict.WRONG


def test_an_old_nonce_is_stale_for_who_knows_the_password(door: Authenticator) -> None:
    asked = strongest(challenged(door))
    assert asked is not None
    assert door.check(invite(asked), 1059.9).verdict is Verdict.RIGHT
    assert door.check(invite(asked, count=2), 1060.1).verdict is Verdict.STALE
    assert door.check(invite(asked, Credentials("alice", "x"), 3), 1060.1).verdict is Verdict.WRONG


@pytest.mark.parametrize("nonce", ["x", "é", "a" * 32, "", "A" * 1000])
def test_a_nonce_that_is_not_ours_lets_nobody_in(door: Authenticator, nonce: str) -> None:
    other = dataclasses.replace(challenged(door)[0], nonce=nonce or "=")
    assert door.check(invite(other), 1001.0).verdict is Verdict.STALE


def test_a_nonce_serves_one_address_and_one_process(door: Authenticator) -> None:
    nonces = Nonces(KEY)
    nonce = nonces.make(10.0, SALT, "192.0.2.1")
    assert not nonces.use(nonce, 1, 11.0, "192.0.2.2")
    assert not Nonces(b"another").use(nonce, 1, 11.0, "192.0.2.1")
    assert not nonces.use(nonce, 1, 9.0, "192.0.2.1"), "of the future"
    assert nonces.use(nonce, 1, 11.0, "192.0.2.1")


def test_a_count_serves_once(door: Authenticator) -> None:
    asked = challenged(door)[0]
    verdicts = [door.check(invite(asked, count=count), 1001.0).verdict for count in (1, 1, 2, 5, 3, 6)]
    assert [verdict is Verdict.RIGHT for verdict in verdicts] == [True, False, True, True, False, True]


def test_memory_is_bounded_and_what_was_forgotten_stays_used() -> None:
    nonces = Nonces(KEY, lifetime=1e6, limit=10)
    made = [nonces.make(float(number), SALT, PEER) for number in range(100)]
    assert all(nonces.use(nonce, 1, 100.0, PEER) for nonce in made)
    assert len(nonces._used) <= 10
    assert not any(nonces.use(nonce, 1, 100.0, PEER) for nonce in made)
    assert nonces.use(made[-1], 2, 100.0, PEER)


def test_what_has_expired_is_dropped() -> None:
    nonces = Nonces(KEY, lifetime=10.0)
    for number in range(100):
        assert nonces.use(nonces.make(float(number), SALT, PEER), 1, float(number), PEER)
    assert len(nonces._used) <= 11
