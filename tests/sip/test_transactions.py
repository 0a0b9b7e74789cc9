"""Server and client transactions under a clock that the test moves (RFC 3261 section 17, RFC 6026)."""

from __future__ import annotations

import pytest

from tests.sip.messages import parsed, request
from tests.sip.wire import Wire
from voice.sip import SipMessage
from voice.sip.response import build_response
from voice.sip.timers import Timers
from voice.sip.transactions import ServerTransaction

REPEATS = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
PEER = ("192.0.2.10", 5080)


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.mark.parametrize("status", [200, 486])
def test_a_final_response_is_repeated_until_timer_h(wire: Wire, status: int) -> None:
    message, transaction = wire.invite()
    ended: list[float] = []
    transaction.on_no_ack = lambda: ended.append(wire.now)
    transaction.respond(b"100", 100)
    transaction.respond(b"180", 180)
    transaction.respond(b"final", status)
    wire.pass_until(31.9)
    assert wire.times(b"final") == [0.0, *REPEATS]
    assert ended == []
    wire.pass_until(100)
    assert ended == [32.0]
    assert wire.times(b"final") == [0.0, *REPEATS]
    assert (wire.times(b"100"), wire.times(b"180")) == ([0.0], [0.0])
    assert wire.transactions.find_server(message) is None
    assert len(wire.transactions) == len(wire.timers) == 0


@pytest.mark.parametrize("status", [200, 486])
def test_the_ack_ends_the_repeats(wire: Wire, status: int) -> None:
    message, transaction = wire.invite()
    heard: list[SipMessage] = []
    transaction.on_ack = heard.append
    transaction.on_no_ack = lambda: pytest.fail("there was an ACK")
    transaction.respond(b"final", status)
    wire.pass_until(2.0)
    ack = parsed(request("ACK", replace={"Via": "SIP/2.0/UDP h;branch=z9hG4bK-one;rport"}))
    assert wire.transactions.find_server(ack) is transaction
    transaction.receive_ack(ack)
    transaction.receive_ack(ack)
    assert heard == [ack]
    assert wire.transactions.find_server(message) is transaction, "later repeats of the INVITE are absorbed"
    transaction.on_retransmission()
    wire.pass_until(100)
    assert wire.times(b"final") == [0.0, 0.5, 1.5]
    assert wire.transactions.find_server(message) is None
    assert len(wire.timers) == 0


def test_an_ack_before_the_answer_is_none(wire: Wire) -> None:
    _, transaction = wire.invite()
    transaction.respond(b"180", 180)
    transaction.receive_ack(parsed(request("ACK")))
    transaction.respond(b"200", 200)
    wire.pass_until(1.0)
    assert wire.times(b"200") == [0.0, 0.5]


def test_a_repeated_invite_is_answered_from_memory(wire: Wire) -> None:
    message, transaction = wire.invite()
    transaction.on_retransmission()
    assert wire.sent == []
    for data, status in ((b"100", 100), (b"180", 180), (b"200", 200)):
        transaction.respond(data, status)
        found = wire.transactions.find_server(message)
        assert found is transaction
        found.on_retransmission()
        assert [what for _, what in wire.sent[-2:]] == [data, data]


def test_after_a_final_response_nothing_else_is_sent(wire: Wire) -> None:
    _, transaction = wire.invite()
    transaction.respond(b"487", 487)
    transaction.respond(b"200", 200)
    transaction.respond(b"180", 180)
    assert [what for _, what in wire.sent] == [b"487"]
    assert transaction.status == 487


def test_a_non_invite_is_remembered_for_timer_j(wire: Wire) -> None:
    message = parsed(request("BYE"))
    transaction = wire.transactions.create_server(message)
    assert isinstance(transaction, ServerTransaction)
    transaction.respond(b"200", 200)
    wire.pass_until(31.9)
    assert wire.transactions.find_server(message) is transaction
    transaction.on_retransmission()
    assert wire.times(b"200") == [0.0, 31.9]
    wire.pass_until(33)
    assert wire.transactions.find_server(message) is None


def test_a_cancel_finds_its_invite_and_is_a_transaction_of_its_own(wire: Wire) -> None:
    _, transaction = wire.invite()
    cancel = parsed(request("CANCEL", replace={"Via": "SIP/2.0/UDP h;branch=z9hG4bK-one;rport"}))
    assert wire.transactions.find_server(cancel, "INVITE") is transaction
    assert wire.transactions.find_server(cancel) is None
    other = parsed(request("CANCEL", replace={"Via": "SIP/2.0/UDP other;branch=z9hG4bK-one;rport"}))
    assert wire.transactions.find_server(other, "INVITE") is None, "another sent-by"


def test_the_same_invite_over_another_way_is_merged(wire: Wire) -> None:
    message, transaction = wire.invite()
    copied = dict(message.fields)
    same = {"Call-ID": copied["call-id"], "From": copied["from"], "CSeq": copied["cseq"]}
    over = parsed(request("INVITE", replace={"Via": "SIP/2.0/UDP h2;branch=z9hG4bK-two", **same}))
    assert not wire.transactions.is_merged(message)
    assert wire.transactions.is_merged(over)
    assert not wire.transactions.is_merged(parsed(request("INVITE", replace={**same, "CSeq": "2 INVITE"})))
    transaction.respond(b"486", 486)
    wire.pass_until(40)
    assert not wire.transactions.is_merged(over)


@pytest.mark.parametrize("branch", ["", ";branch=1", ";branch=z9hG4bK"])
def test_without_a_branch_of_rfc_3261_more_is_compared(wire: Wire, branch: str) -> None:
    via = {"Via": f"SIP/2.0/UDP h{branch}", "From": "<sip:a@h>", "Call-ID": "abc"}
    first = parsed(request("INVITE", replace=via))
    transaction = wire.transactions.create_server(first)
    assert wire.transactions.find_server(parsed(request("INVITE", replace=via))) is transaction
    assert wire.transactions.find_server(parsed(request("ACK", replace=via))) is transaction
    assert wire.transactions.find_server(parsed(request("CANCEL", replace=via)), "INVITE") is transaction
    for name, value in (("Call-ID", "other"), ("From", "<sip:a@h>;tag=1"), ("CSeq", "2 INVITE")):
        assert wire.transactions.find_server(parsed(request("INVITE", replace={**via, name: value}))) is None


def test_there_is_a_limit() -> None:
    wire = Wire(limit=2)
    assert wire.transactions.create_server(parsed(request("INVITE")))
    assert wire.transactions.create_server(parsed(request("BYE")))
    assert wire.transactions.create_server(parsed(request("INVITE"))) is None


class Asked:
    """A request of our own and what came of it."""

    def __init__(self, wire: Wire) -> None:
        self.outcome: list[SipMessage | None] = []
        self.request = parsed(request("BYE", replace={"Via": "SIP/2.0/UDP h;branch=z9hG4bK-ours"}))
        self.wire = wire
        wire.transactions.request(b"BYE", PEER, "z9hG4bK-ours", "BYE", self.outcome.append)

    def answer(self, status: int) -> SipMessage:
        response = SipMessage(build_response(self.request, status))
        transaction = self.wire.transactions.find_client(response)
        if transaction:
            transaction.receive(response)
        return response


def test_our_request_is_repeated_until_timer_f(wire: Wire) -> None:
    asked = Asked(wire)
    wire.pass_until(31.9)
    assert wire.times(b"BYE") == [0.0, *REPEATS]
    assert (asked.outcome, wire.transactions.client_count) == ([], 1)
    wire.pass_until(100)
    assert asked.outcome == [None]
    assert (wire.transactions.client_count, len(wire.timers)) == (0, 0)


def test_a_provisional_response_slows_the_repeats_down(wire: Wire) -> None:
    asked = Asked(wire)
    wire.pass_until(0.6)
    asked.answer(100)
    wire.pass_until(12)
    assert wire.times(b"BYE") == [0.0, 0.5, 1.5, 5.5, 9.5]
    assert asked.outcome == []


@pytest.mark.parametrize("status", [200, 481, 503])
def test_a_final_response_ends_our_request(wire: Wire, status: int) -> None:
    asked = Asked(wire)
    response = asked.answer(status)
    assert asked.outcome == [response]
    asked.answer(status)
    wire.pass_until(100)
    assert asked.outcome == [response]
    assert wire.times(b"BYE") == [0.0]


def test_a_response_to_nothing_finds_nothing(wire: Wire) -> None:
    Asked(wire)
    stray = parsed(request("OPTIONS", replace={"Via": "SIP/2.0/UDP h;branch=z9hG4bK-ours"}))
    assert wire.transactions.find_client(SipMessage(build_response(stray, 200))) is None


def test_cancelled_timers_do_not_fill_the_memory() -> None:
    now = [0.0]
    timers = Timers(lambda: now[0])
    kept = timers.call_later(10, lambda: None)
    for _ in range(10000):
        timer = timers.call_later(1000, lambda: pytest.fail("cancelled"))
        timer.cancel()
        timer.cancel()
    assert len(timers) == 1
    assert len(timers._heap) < 1000
    assert timers.next_delay() == 10
    now[0] = 11.0
    assert timers.next_delay() == 0
    assert timers.pop_due() is not None
    kept.cancel()
    assert timers.pop_due() is None
    assert timers.next_delay() is None
    assert len(timers) == 0
