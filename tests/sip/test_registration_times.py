"""When a registration is refreshed and tried again, under a clock that the test moves."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from tests.sip.registrar import answer_to
from tests.sip.wire import Wire
from voice.sip import Account, SipMessage
from voice.sip.message import Address
from voice.sip.registrar import KNOWN_SECONDS, UNKNOWN_SECONDS, Acquaintance, Found, Resolver
from voice.sip.registration import Registration

HERE = ("192.0.2.1", 5060)
DAY = 86400.0
# 64 * T1: an attempt that nobody answers.
UNANSWERED = 32.0


class Name(Resolver):
    """A name that leads where the test says, or nowhere."""

    def __init__(self) -> None:
        self.found: Found = [("192.0.2.20", 5060)]
        self.asked = 0

    def look_up(self, on_found: Callable[[Found], None]) -> None:
        self.asked += 1
        on_found(self.found)


class Line(Wire):
    """A registration, and a registrar that answers each REGISTER as `answers` says: a status line and headers."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: Callable[[SipMessage], tuple[str, ...] | None] = lambda _request: None
        self.attempts: list[float] = []
        self.expires: list[str | None] = []
        self.destinations: list[Address] = []
        self.name = Name()
        self.trusted: frozenset[str] = frozenset()
        self.registration = Registration(
            Account("pbx.example", "vm", "s3cret"),
            self.transactions,
            post=lambda callback: callback(),
            contact_towards=lambda _peer: HERE,
            resolver=self.name,
            on_addresses=self._trust,
        )
        self._branches: set[str] = set()

    def _trust(self, addresses: frozenset[str]) -> None:
        self.trusted = addresses

    def _send(self, data: bytes, destination: Address) -> None:
        message = SipMessage(data, HERE)
        if message.vias[0].branch in self._branches:
            return
        self._branches.add(message.vias[0].branch)
        self.attempts.append(self.now)
        self.expires.append(message.header("Expires"))
        self.destinations.append(destination)
        answer = self.answers(message)
        if answer:
            # A moment later, as over any network.
            self.timers.call_later(0.01, lambda: self._hear(SipMessage(answer_to(message, *answer), destination)))

    def _hear(self, response: SipMessage) -> None:
        transaction = self.transactions.find_client(response)
        assert transaction
        transaction.receive(response)

    @property
    def pauses(self) -> list[float]:
        """Between one attempt and the next."""
        return [later - earlier for earlier, later in zip(self.attempts, self.attempts[1:], strict=False)]


@pytest.fixture
def line() -> Line:
    return Line()


def yes(seconds: int) -> Callable[[SipMessage], tuple[str, ...]]:
    return lambda request: ("200 OK", f"Contact: <sip:vm@192.0.2.1:5060>;expires={seconds}")


@pytest.mark.parametrize(
    ("granted", "pause"),
    [(3600, 3240), (600, 540), (300, 260), (120, 80), (60, 30), (20, 10), (2, 1), (1, 1), (10**9, DAY)],
)
def test_a_refresh_comes_before_the_end_with_time_for_its_repeats(line: Line, granted: int, pause: float) -> None:
    line.answers = yes(granted)
    line.registration.start()
    line.pass_until(2 * pause + 5)
    assert line.pauses[0] == pytest.approx(pause, abs=0.02)
    assert line.registration.state.state == "registered"
    # Each refresh asks for what was set, whatever was granted.
    assert set(line.expires) == {"3600"}


def test_a_registrar_that_is_away_is_asked_less_and_less(line: Line) -> None:
    line.registration.start()
    line.pass_until(DAY)
    waited = [pause - UNANSWERED for pause in line.pauses]
    for number, pause in enumerate(waited):
        longest = min(300.0, 4.0 * 2**number)
        assert longest / 2 <= pause <= longest, number
    assert len(set(waited[8:])) > 10, "no jitter"
    # Each failure looks the name up again.
    assert line.name.asked == len(line.attempts)


def test_it_is_registered_soon_after_the_registrar_is_back(line: Line) -> None:
    line.registration.start()
    line.pass_until(DAY)
    line.answers = yes(3600)
    line.pass_until(DAY + 400)
    assert line.registration.state.state == "registered"
    line.answers = lambda _request: None
    before = len(line.attempts)
    line.pass_until(DAY + 400 + 3600 + 60)
    # The doubling begins anew.
    assert line.pauses[before] - UNANSWERED <= 4.0


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "401 Unauthorized"])
def test_who_refuses_us_is_not_hammered(line: Line, status: str, caplog: pytest.LogCaptureFixture) -> None:
    line.answers = lambda _request: (status, 'WWW-Authenticate: Digest realm="r", nonce="n"')
    with caplog.at_level(logging.INFO):
        line.registration.start()
        line.pass_until(DAY)
    long = [pause for pause in line.pauses if pause > 1]
    assert 150 <= long[0] <= 300.1
    assert all(1800 <= pause <= 3600.1 for pause in long[4:])
    assert len(line.attempts) < 120
    assert line.registration.state.state == "refused"
    assert sum("not registered" in record.getMessage() for record in caplog.records) == 1


def test_a_pbx_that_starts_anew_is_away_then_refuses_then_takes_us(line: Line) -> None:
    line.registration.start()
    line.pass_until(3600)
    line.answers = lambda _request: ("404 Not Found",)
    before = len(line.attempts)
    while len(line.attempts) == before:
        line.pass_until(line.now + 1)
    line.pass_until(line.now + 1)
    refused = line.attempts[-1]
    line.answers = yes(3600)
    # Its first refusal does not count as the last of many.
    line.pass_until(refused + 301)
    assert line.registration.state.state == "registered"


@pytest.mark.parametrize("status", ["503 Service Unavailable", "500 Server Internal Error", "403 Forbidden"])
def test_retry_after_is_kept(line: Line, status: str) -> None:
    line.answers = lambda _request: (status, "Retry-After: 900 (in maintenance);duration=60")
    line.registration.start()
    line.pass_until(DAY)
    assert all(900 <= pause <= 990.1 for pause in line.pauses)


@pytest.mark.parametrize("value", ["0", "-5", "soon", "", "99999999999999999999"])
def test_a_retry_after_that_makes_no_sense_does_no_harm(line: Line, value: str) -> None:
    line.answers = lambda _request: ("503 Service Unavailable", f"Retry-After: {value}")
    line.registration.start()
    # At most a week is waited.
    line.pass_until(8 * DAY if len(value) > 9 else 3600)
    assert len(line.attempts) >= 2
    assert min(line.pauses) >= 2


def test_each_failure_leads_to_the_next_address(line: Line) -> None:
    line.name.found = [("192.0.2.20", 5060), ("192.0.2.21", 5060)]
    line.registration.start()
    line.pass_until(300)
    assert [host for host, _ in line.destinations[:4]] == ["192.0.2.20", "192.0.2.21"] * 2
    assert line.trusted == {"192.0.2.20", "192.0.2.21"}


def test_a_name_is_looked_up_until_it_leads_somewhere(line: Line) -> None:
    line.name.found = "Name or service not known"
    line.answers = yes(3600)
    line.registration.start()
    line.pass_until(100)
    assert line.attempts == []
    assert "Name or service not known" in line.registration.state.reason
    line.name.found = [("192.0.2.20", 5060)]
    line.pass_until(500)
    assert line.registration.state.state == "registered"


def test_what_was_granted_holds_while_a_refresh_fails(line: Line) -> None:
    line.answers = yes(600)
    line.registration.start()
    line.pass_until(1)
    until = line.registration.state.until
    line.answers = lambda _request: ("503 Service Unavailable",)
    line.pass_until(545)
    state = line.registration.state
    assert (state.state, state.reason) == ("trying", "503 Service Unavailable")
    assert state.until == until
    plain = state.to_plain()
    assert plain["registrar"] == "pbx.example"
    assert plain["until"]
    assert plain["next_try"]


def test_nothing_is_sent_after_the_end(line: Line) -> None:
    line.answers = yes(600)
    line.registration.start()
    line.pass_until(1)
    line.registration.leave()
    line.registration.leave()
    line.pass_until(DAY)
    assert line.expires == ["3600", "0"]
    assert len(line.timers) == 0


def test_an_end_in_the_midst_of_failure_sends_nothing(line: Line) -> None:
    line.registration.start()
    line.pass_until(100)
    sent = len(line.attempts)
    line.registration.leave()
    line.pass_until(DAY)
    assert len(line.attempts) == sent
    assert len(line.timers) == 0


def test_where_another_worker_registers_the_name_is_looked_up_again_and_again(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    known = Acquaintance(line.name, line.timers, lambda callback: callback(), line._trust)
    line.name.found = "Name or service not known"
    known.start()
    line.pass_until(4.5 * UNKNOWN_SECONDS)
    assert (line.name.asked, line.trusted) == (5, frozenset())
    assert len([text for text in caplog.messages if "Name or service not known" in text]) == 1
    line.name.found = [("192.0.2.20", 5060), ("192.0.2.21", 5060)]
    line.pass_until(5.5 * UNKNOWN_SECONDS)
    assert line.trusted == {"192.0.2.20", "192.0.2.21"}
    line.name.found = [("192.0.2.22", 5060)]
    line.pass_until(line.now + KNOWN_SECONDS)
    assert line.trusted == {"192.0.2.22"}
    line.name.found = "Temporary failure in name resolution"
    line.pass_until(line.now + KNOWN_SECONDS)
    assert line.trusted == {"192.0.2.22"}, "what was known stays"
    assert line.attempts == [], "nothing registers"
