"""Who may call: values in, verdicts out, with a clock of the test's own."""

from __future__ import annotations

import pytest

from tests.sip.messages import SOURCE, parsed, request
from voice.sip import GateRules, SipError, SipMessage
from voice.sip.digest import Credentials, authorization_header, parse_challenges, strongest
from voice.sip.errors import Unanswered
from voice.sip.gate import Gate
from voice.sip.statistics import PhoneStatistics

ALICE = Credentials("alice", "wonderland")
FRIEND = ("10.1.2.3", 5060)
STRANGER = SOURCE


class Door:
    """A gate with its clock, counters and log lines."""

    def __init__(self, **rules: object) -> None:
        self.now = 1000.0
        self.lines: list[tuple[str, str, str]] = []
        self.statistics = PhoneStatistics()
        given = {"trusted": ("10.0.0.0/8", "fd00::/8"), **rules}
        self.gate = Gate(
            GateRules(**given),  # type: ignore[arg-type]
            self.statistics,
            lambda kind, source, detail: self.lines.append((kind, source[0], detail)),
            lambda: self.now,
        )

    def status(self, message: SipMessage) -> int:
        """0 where it passes, -1 where it is dropped, else the status of the refusal."""
        try:
            self.gate.judge(message)
        except Unanswered:
            return -1
        except SipError as error:
            return error.status
        return 0

    def hears(self, data: bytes, address: str = STRANGER[0], expected: tuple[str, ...] = ()) -> bool:
        return self.gate.admits(data, (address, 5060), lambda call_id: call_id in expected)

    def signed(
        self, method: str = "INVITE", who: Credentials = ALICE, uri: str = "sip:1001@192.0.2.1", to: str = ""
    ) -> SipMessage:
        """A request with the right answer to a challenge of this gate."""
        with pytest.raises(SipError) as caught:
            self.gate.judge(parsed(request(method)))
        challenge = strongest(parse_challenges([value for _, value in caught.value.headers]))
        assert challenge is not None
        name, value = authorization_header(challenge, who, method, uri, nonce_count=1, cnonce="c")
        return parsed(request(method, uri, f"{name}: {value}", replace={"To": to} if to else None))


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("10.9.9.9", True),
        ("::ffff:10.9.9.9", True),
        ("fd00::1", True),
        ("11.0.0.1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("x", False),
    ],
)
def test_trusted_networks(address: str, trusted: bool) -> None:
    gate = Door().gate
    assert [gate.trusts(address), gate.trusts(address)] == [trusted, trusted]


def test_a_pbx_that_we_are_registered_with_is_trusted_for_as_long() -> None:
    door = Door()
    assert door.status(parsed(request("INVITE"))) == 403
    door.gate.set_registered([STRANGER[0], "2001:DB8::0:1"])
    assert door.status(parsed(request("INVITE"))) == 0
    assert door.gate.trusts(f"::ffff:{STRANGER[0]}")
    assert door.gate.trusts("2001:db8::1")
    assert not door.gate.trusts("x")
    door.gate.set_registered(())
    assert door.status(parsed(request("INVITE"))) == 403


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "REGISTER", "SUBSCRIBE", "BYE", "NEWMETHOD"])
def test_strangers_get_403(method: str) -> None:
    door = Door()
    assert door.status(parsed(request(method))) == 403
    assert door.status(SipMessage(request(method), FRIEND)) == 0
    assert door.statistics.strangers == 1


def test_or_nothing_at_all() -> None:
    door = Door(silent=True)
    assert [door.status(parsed(request(method))) for method in ("INVITE", "OPTIONS", "CANCEL")] == [-1, -1, -1]
    assert not door.gate.admits_answer(STRANGER)
    assert door.gate.admits_answer(FRIEND)
    assert door.lines[0][:2] == ("stranger", STRANGER[0])


def test_where_there_are_accounts_strangers_are_challenged() -> None:
    door = Door(accounts={"alice": "wonderland"})
    assert door.status(parsed(request("INVITE"))) == 401
    assert door.status(door.signed()) == 0
    assert door.status(door.signed("OPTIONS")) == 0
    assert door.status(parsed(request("CANCEL"))) == 0, "it is never challenged: 481 follows"
    assert (door.statistics.challenged, door.statistics.wrong_passwords) == (3, 0)
    assert door.lines == []


def test_the_same_credentials_again_are_stale() -> None:
    door = Door(accounts={"alice": "wonderland"})
    message = door.signed()
    assert [door.status(message), door.status(message)] == [0, 401]
    with pytest.raises(SipError) as caught:
        door.gate.judge(message)
    assert all(value.endswith("stale=true") for _, value in caught.value.headers)


def test_a_wrong_password_is_logged_without_it() -> None:
    door = Door(accounts={"alice": "wonderland"})
    assert door.status(door.signed(who=Credentials("alice", "tr0ub4dor"))) == 401
    assert door.status(door.signed(who=Credentials("\x1b[31mroot", "tr0ub4dor"))) == 400
    assert door.status(door.signed(who=Credentials("root", "tr0ub4dor"))) == 401
    assert door.lines == [
        ("wrong password", STRANGER[0], "account alice"),
        ("wrong password", STRANGER[0], "account unknown"),
    ]
    assert door.statistics.wrong_passwords == 2
    assert "wonderland" not in repr(GateRules(accounts={"alice": "wonderland"}))


def test_guessing_is_slow() -> None:
    door = Door(accounts={"alice": "wonderland"}, request_rate=1.0, request_burst=30)
    guesses = 0
    while door.status(parsed(request("INVITE"))) != -1:
        door.status(door.signed(who=Credentials("alice", str(guesses))))
        guesses += 1
    assert guesses <= 5
    assert door.status(parsed(request("INVITE"))) == -1
    door.now += 40.0
    assert door.status(parsed(request("INVITE"))) == 401


def test_a_stranger_who_asks_too_often_is_not_even_parsed() -> None:
    door = Door(request_rate=2.0, request_burst=10)
    statuses = [door.status(parsed(request("OPTIONS"))) for _ in range(20)]
    assert statuses == [403] * 10 + [-1] * 10
    assert not door.hears(request("OPTIONS"))
    assert door.statistics.limited == 11
    assert door.hears(request("OPTIONS"), "198.51.100.7"), "another address"
    assert door.hears(request("OPTIONS"), FRIEND[0])
    door.now += 0.5
    assert door.hears(request("OPTIONS"))


def test_the_calls_of_who_asks_too_often_go_on() -> None:
    door = Door(request_burst=1)
    assert door.status(parsed(request("OPTIONS"))) == 403
    bye = request("BYE", replace={"Call-ID": "mine"})
    assert not door.hears(bye)
    assert door.hears(bye, expected=("mine",))
    assert door.hears(bye.replace(b"Call-ID: ", b"i :\t"), expected=("mine",))
    response = b"SIP/2.0 200 OK\r\nCall-ID: mine\r\n\r\n"
    assert door.hears(response, expected=("",)), "an answer that we wait for"
    assert not door.hears(response, expected=("mine",))
    assert not door.hears(request("BYE", drop=["Call-ID"]), expected=("mine", ""))


def test_trusted_sources_are_not_limited() -> None:
    door = Door(request_burst=1, call_burst=1)
    assert all(door.status(SipMessage(request("INVITE"), FRIEND)) == 0 for _ in range(100))
    assert all(door.gate.admits_answer(FRIEND) for _ in range(100))


def test_this_host_may_call_but_its_headers_do_not_count_for_that() -> None:
    door = Door(own=("127.0.0.0/8",), request_burst=1)
    own = ("127.0.0.1", 5060)
    assert [door.status(SipMessage(request("INVITE"), own)) for _ in range(5)] == [0] * 5
    assert door.hears(request("OPTIONS", "sip:a@h", "User-Agent: sipcli"), own[0])
    assert not door.gate.trusts(own[0])


def test_calls_with_a_password_are_limited_too() -> None:
    door = Door(accounts={"alice": "wonderland"}, request_burst=1000, call_rate=1.0, call_burst=3)
    assert [door.status(door.signed()) for _ in range(5)] == [0, 0, 0, 503, 503]
    assert door.status(door.signed("OPTIONS")) == 0
    door.now += 1.0
    assert door.status(door.signed()) == 0


@pytest.mark.parametrize(
    ("account", "uri", "to", "status"),
    [
        ("1001", "sip:1001@192.0.2.1", "<sip:1001@192.0.2.1>", 0),
        ("1001", "sip:192.0.2.1", "<sip:1001@192.0.2.1>", 0),
        ("1001", "sip:1002@192.0.2.1", "<sip:1002@192.0.2.1>", 403),
        ("1001", "sip:1001@192.0.2.1", "<sip:1002@192.0.2.1>", 403),
        ("1001", "sip:1002@192.0.2.1", "<sip:1001@192.0.2.1>", 403),
        ("1001", "sip:192.0.2.1", "<sip:192.0.2.1>", 403),
        # A refresh: the tag is known to the subscriber alone.
        ("1001", "sip:192.0.2.1", "<sip:1002@192.0.2.1>;tag=ours", 0),
    ],
)
def test_an_account_may_subscribe_to_the_mailbox_of_its_name_alone(
    account: str, uri: str, to: str, status: int
) -> None:
    door = Door(accounts={account: "wonderland"})
    signed = door.signed("SUBSCRIBE", Credentials(account, "wonderland"), uri, to)
    assert door.status(signed) == status


def test_scanners_are_dropped_and_logged_once_a_minute_a_source() -> None:
    door = Door(accounts={"alice": "wonderland"})
    scan = request("OPTIONS", "sip:100@192.0.2.1", "User-Agent: friendly-scanner")
    assert not any(door.hears(scan) for _ in range(50))
    assert not door.hears(scan, "198.51.100.7")
    assert door.lines == [("scanner", STRANGER[0], "dropped"), ("scanner", "198.51.100.7", "dropped")]
    door.now += 61.0
    assert not door.hears(scan)
    assert len(door.lines) == 3
    assert door.statistics.scanners == 52
    assert door.hears(scan, FRIEND[0]), "whoever tests from a trusted network is answered"


@pytest.mark.parametrize(
    "line",
    [
        "User-Agent: friendly-scanner",
        "user-agent :\tFriendly-Scanner 1",
        "User-Agent: sipcli/v1.8",
        "User-Agent: sundayddr",
        "User-Agent: pplsip",
        "User-Agent: VaxSIPUserAgent/3.1",
        "User-Agent: SIPVicious",
        "User-Agent: sip-scan",
        "User-Agent: iWar",
        'f: "x" <sip:100@1.1.1.1>;tag=1',
        "From: \"a'or'3=3--\"<sip:100@192.0.2.1>;tag=1",
        "From: <sip:nm@nm>;tag=root",
        'To: "sipvicious"<sip:100@1.1.1.1>',
    ],
)
def test_known_scanners(line: str) -> None:
    door = Door()
    assert not door.hears(request("OPTIONS", "sip:100@192.0.2.1", line))
    assert not door.hears(f"OPTIONS\r\n{line}\r\nbroken".encode()), "even where it is malformed"


@pytest.mark.parametrize(
    "line",
    [
        "User-Agent: Asterisk PBX 20.20.0",
        "User-Agent: baresip v3",
        "User-Agent: Siwarden",
        "Subject: friendly-scanner",
        "From: <sip:100@1.1.1.10>;tag=1",
        'From: "Norm" <sip:nm@nmi.example>;tag=1',
    ],
)
def test_others_are_not_taken_for_scanners(line: str) -> None:
    assert Door().hears(request("OPTIONS", "sip:100@192.0.2.1", line))
