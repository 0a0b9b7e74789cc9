"""INVITE client transactions under a clock that the test moves (RFC 3261 section 17.1.1)."""

from __future__ import annotations

import pytest

from tests.sip.messages import request
from tests.sip.registrar import answer_to
from tests.sip.wire import Wire
from voice.sip import SipMessage
from voice.sip.client_transactions import InviteClientTransaction

PEER = ("192.0.2.10", 5080)
INVITE = request(
    "INVITE",
    "sip:2000@192.0.2.10",
    "Route: <sip:192.0.2.9;lr>",
    "Proxy-Authorization: Digest x",
    replace={"Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-call;rport"},
)
REPEATS = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


class Call(Wire):
    """A call that is placed, and what came of it."""

    def __init__(self) -> None:
        super().__init__()
        self.finals: list[tuple[float, int]] = []
        self.provisional: list[int] = []
        self.successes: list[str] = []
        self.transaction = InviteClientTransaction(
            self.transactions,
            INVITE,
            PEER,
            on_final=lambda response: self.finals.append((self.now, response.code if response else 0)),
            on_provisional=lambda response: self.provisional.append(response.code),
            on_success=lambda response: self.successes.append(response.to.tag),
        )
        self.transaction.begin()

    def hear(self, status: str, tag: str = "theirs", to: bytes = INVITE) -> None:
        message = SipMessage(
            answer_to(SipMessage(to), status).replace(
                b"sip:1001@192.0.2.1>", b"sip:1001@192.0.2.1>;tag=" + tag.encode()
            )
        )
        found = self.transactions.find_client(message)
        if found:
            found.receive(message)

    def requests(self, method: str) -> list[tuple[float, SipMessage]]:
        return [(when, SipMessage(data)) for when, data in self.sent if data.startswith(method.encode())]


@pytest.fixture
def call() -> Call:
    return Call()


def test_an_invite_is_repeated_until_timer_b(call: Call) -> None:
    call.pass_until(100)
    assert call.times(INVITE) == [0.0, *REPEATS]
    assert call.finals == [(32.0, 0)]
    assert len(call.transactions) == len(call.timers) == 0


def test_a_provisional_response_ends_the_repeats_and_a_phone_may_ring_for_long(call: Call) -> None:
    call.pass_until(1)
    call.hear("100 Trying")
    call.pass_until(50)
    call.hear("180 Ringing")
    call.pass_until(150)
    assert call.times(INVITE) == [0.0, 0.5]
    assert (call.provisional, call.finals) == ([180], [])
    call.hear("200 OK")
    assert call.finals == [(150, 200)]


@pytest.mark.parametrize("status", ["302 Moved", "486 Busy Here", "503 Service Unavailable", "603 Decline"])
def test_a_refusal_is_acknowledged_each_time_that_it_comes(call: Call, status: str) -> None:
    call.hear(status)
    call.pass_until(10)
    call.hear(status)
    call.hear("180 Ringing")
    call.hear("200 OK")
    assert call.finals == [(0.0, int(status[:3]))]
    acks = call.requests("ACK")
    assert [when for when, _ in acks] == [0.0, 10]
    ack, invite = acks[0][1], SipMessage(INVITE)
    assert (ack.uri.raw, ack.vias[0].branch, ack.call_id) == (invite.uri.raw, invite.vias[0].branch, invite.call_id)
    assert (ack.cseq, ack.to.tag, ack.from_.tag) == ((invite.cseq[0], "ACK"), "theirs", invite.from_.tag)
    assert ack.header("Route") == "<sip:192.0.2.9;lr>"
    assert ack.header("Proxy-Authorization") == "Digest x"
    assert len(ack.vias) == 1
    call.pass_until(100)
    assert call.times(INVITE) == [0.0]
    assert (call.successes, call.provisional) == ([], [])
    assert len(call.transactions) == len(call.timers) == 0


def test_every_success_is_handed_on_for_its_own_ack(call: Call) -> None:
    call.hear("180 Ringing")
    call.hear("200 OK", "one")
    call.pass_until(1)
    call.hear("200 OK", "one")
    call.hear("200 OK", "two")
    call.hear("486 Busy Here", "three")
    assert call.finals == [(0.0, 200)]
    assert call.successes == ["one", "one", "two"]
    assert call.requests("ACK") == []
    call.pass_until(100)
    assert len(call.transactions) == len(call.timers) == 0


def test_a_cancel_waits_for_a_provisional_response(call: Call) -> None:
    call.transaction.cancel()
    call.pass_until(2)
    assert call.requests("CANCEL") == []
    call.hear("100 Trying")
    ((when, cancel),) = call.requests("CANCEL")
    invite = SipMessage(INVITE)
    assert when == 2
    assert (cancel.uri.raw, cancel.vias[0].branch) == (invite.uri.raw, invite.vias[0].branch)
    assert (cancel.cseq, cancel.to.tag) == ((invite.cseq[0], "CANCEL"), "")
    call.hear("200 OK", to=next(data for _, data in call.sent if data.startswith(b"CANCEL")))
    call.transaction.cancel()
    call.hear("180 Ringing")
    call.hear("487 Request Terminated")
    assert call.finals == [(2, 487)]
    assert len(call.requests("CANCEL")) == len(call.requests("ACK")) == 1


def test_a_success_that_was_faster_than_the_cancel_is_told(call: Call) -> None:
    call.hear("180 Ringing")
    call.transaction.cancel()
    call.hear("200 OK")
    assert (call.finals, call.successes) == ([(0.0, 200)], ["theirs"])


def test_a_cancelled_invite_without_an_answer_is_over_after_a_while(call: Call) -> None:
    call.hear("180 Ringing")
    call.pass_until(5)
    call.transaction.cancel()
    call.pass_until(200)
    assert call.finals == [(37, 0)]
    assert len(call.transactions) == len(call.timers) == 0
