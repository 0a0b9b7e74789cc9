"""A blind transfer by REFER, as a PBX takes it, declines it, or leaves us waiting (RFC 3515, RFC 5589)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tests.sip.conftest import Desk, start_phone
from tests.sip.desk import ended, no_traces
from tests.sip.messages import parsed, request
from tests.sip.peer import Leg, Peer
from tests.sip.wire import Wire
from tests.support import until
from voice.media.loop import MediaLoop
from voice.sip import Credentials, Phone, SipMessage
from voice.sip.call import TRANSFER_SECONDS
from voice.sip.challengers import Challengers
from voice.sip.dialog import Dialog
from voice.sip.response import build_response
from voice.sip.transfer import Patience, Transfer, refer_to

CHALLENGE = 'Digest realm="pbx", nonce="n1", qop="auth", algorithm=MD5'
ACTIVE, OVER = "active;expires=60", "terminated;reason=noresource"


class Transferred:
    """A call whose flow asks for a transfer, and what the flow hears of it."""

    def __init__(self, peer: Peer, desk: Desk, target: str = "100") -> None:
        self.leg = Leg(peer)
        self.leg.establish()
        self.results: list[bool] = []
        self._thread = threading.Thread(target=lambda: self.results.append(desk.calls[-1].transfer(target)))
        self._thread.start()

    def refer(self) -> SipMessage:
        return self.leg.peer.requested("REFER")

    def notify(self, line: str, state: str = ACTIVE, event: str = "refer") -> int:
        """A NOTIFY with this status line; the status of its answer."""
        headers = (f"Event: {event}", f"Subscription-State: {state}")
        body = f"{line}\r\n".encode() if line else b""
        return self.leg.ask("NOTIFY", *headers, body=body, kind="message/sipfrag;version=2.0").code

    def result(self) -> bool:
        self._thread.join(15)
        assert len(self.results) == 1
        return self.results[0]


@pytest.fixture
def phone(desk: Desk, loop: MediaLoop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    started = start_phone(desk, loop)
    started.patience = Patience(first=0.3, last=0.5)
    started.credentials = Credentials("voicemail", "secret")
    yield started
    # The peer is gone and answers no BYE: there is nothing to wait a second for.
    monkeypatch.setattr("voice.sip.phone.GOODBYE_SECONDS", 0.05)
    started.stop()


@pytest.fixture
def call(peer: Peer, desk: Desk, phone: Phone) -> Transferred:
    return Transferred(peer, desk)


def test_what_is_sent(call: Transferred, peer: Peer, phone: Phone) -> None:
    refer = call.refer()
    assert refer.header("Refer-To") == f"<sip:100@127.0.0.1:{peer.port}>"
    assert refer.header("Referred-By") == f"<sip:voicemail@127.0.0.1:{phone.sip.myPort}>"
    assert (refer.call_id, refer.to.tag, refer.from_.tag) == (call.leg.call_id, call.leg.tag, call.leg.remote_tag)
    call.leg.respond(refer, "603 Decline")
    assert call.result() is False


def test_the_target_answers(call: Transferred, peer: Peer, desk: Desk, phone: Phone) -> None:
    call.leg.respond(call.refer(), "202 Accepted")
    assert call.notify("SIP/2.0 100 Trying") == 200
    assert call.notify("SIP/2.0 180 Ringing", f"{ACTIVE}") == 200
    assert call.results == []
    assert call.notify("SIP/2.0 200 OK", OVER) == 200
    call.leg.respond(peer.requested("BYE"))
    assert call.result() is True
    assert ended(desk) == "transferred"
    no_traces(phone)


@pytest.mark.parametrize("status", ["486 Busy Here", "404 Not Found", "503 Service Unavailable", "603 Decline"])
def test_the_target_does_not_and_the_call_goes_on(call: Transferred, desk: Desk, phone: Phone, status: str) -> None:
    call.leg.respond(call.refer(), "202 Accepted")
    call.notify("SIP/2.0 100 Trying")
    call.notify(f"SIP/2.0 {status}", OVER)
    assert call.result() is False
    assert desk.events == []
    assert call.leg.ask("BYE").code == 200
    assert ended(desk) == "caller hung up"
    no_traces(phone)


@pytest.mark.parametrize("status", ["603 Decline", "405 Method Not Allowed", "481 Call Does Not Exist", "500 Fault"])
def test_the_pbx_declines(call: Transferred, desk: Desk, status: str) -> None:
    call.leg.respond(call.refer(), status)
    assert call.result() is False
    assert desk.events == []
    assert call.leg.ask("OPTIONS").code == 200


def test_a_pbx_that_says_nothing(call: Transferred, desk: Desk) -> None:
    assert call.result() is False
    assert desk.events == []


@pytest.mark.parametrize("line", ["", "SIP/2.0 100 Trying", "SIP/2.0 180 Ringing"])
def test_a_pbx_that_accepts_and_tells_no_end(call: Transferred, desk: Desk, line: str) -> None:
    call.leg.respond(call.refer(), "202 Accepted")
    if line:
        call.notify(line)
    assert call.result() is False
    assert desk.events == []
    # Late, and of no use any more.
    assert call.notify("SIP/2.0 200 OK", OVER) == 200
    assert call.leg.ask("OPTIONS").code == 200
    assert desk.events == []


def test_a_pbx_that_rings_for_ever(call: Transferred, desk: Desk) -> None:
    call.leg.respond(call.refer(), "202 Accepted")
    until(lambda: call.notify("SIP/2.0 180 Ringing") != 200 or call.results, what="the end of patience")
    assert call.result() is False
    assert desk.events == []


class Timed(Wire):
    """A transfer under a clock that the test moves, with the patience of a real one. The PBX accepts it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.result: Future[bool] = Future()
        self._transfer = Transfer(
            self.transactions,
            Dialog(parsed(request("INVITE")), "ours", ("192.0.2.1", 5060)),
            "sip:100@192.0.2.10",
            "<sip:voicemail@192.0.2.1>",
            credentials=Credentials("", ""),
            may_challenge=lambda _: False,
            patience=Patience(),
            on_moved=lambda: None,
            result=self.result,
        )
        self._transfer.begin()
        answer = parsed(build_response(parsed(self.sent[-1][1]), 202))
        transaction = self.transactions.find_client(answer)
        assert transaction
        transaction.receive(answer)

    def notify(self, at: float, status: int) -> None:
        """A NOTIFY with this status, so many seconds after the 202."""
        self.pass_until(at)
        headers = ("Event: refer", f"Subscription-State: {ACTIVE}")
        body = f"SIP/2.0 {status} Any\r\n".encode()
        self._transfer.notified(parsed(request("NOTIFY", "sip:a@192.0.2.1", *headers, body=body)))

    def ends(self) -> float:
        """When it is given up."""
        while not self.result.done():
            self.pass_until(self.now + 1)
        assert self.result.result() is False
        return self.now


@pytest.mark.parametrize(
    "told",
    [
        ((0, 100), (1, 180), (60.5, 200)),
        ((0, 100), (50, 180), (100, 183), (150, 200)),
        ((7, 180), (66, 183), (125, 200)),
    ],
)
def test_a_target_that_rings_for_a_minute_and_answers(told: tuple[tuple[float, int], ...]) -> None:
    timed = Timed()
    for at, status in told:
        timed.notify(at, status)
    assert timed.result.result(0) is True


@pytest.mark.parametrize(
    ("told", "end"),
    [
        (((0, 100), (1, 180)), 61),
        (((0, 180), (30, 180), (59, 100)), 60),
        (((0, 100), (30, 180), (59, 100), (80, 180)), 90),
        (tuple((50 * step, 100 + step) for step in range(5)), 210),
    ],
    ids=["no end", "the same or a lower one", "lower, then the same", "higher for ever"],
)
def test_a_target_that_never_answers_is_waited_for_no_longer(told: tuple[tuple[float, int], ...], end: float) -> None:
    timed = Timed()
    for at, status in told:
        timed.notify(at, status)
    assert timed.ends() == end


def test_the_flow_waits_longer_than_any_transfer_takes() -> None:
    """Six REFERs, each with another challenge, nothing, and a target that gets on as slowly as it may."""
    patience = Patience()
    assert 6 * 32 + patience.first + patience.steps * patience.last < TRANSFER_SECONDS


def test_a_subscription_that_ends_without_a_result(call: Transferred) -> None:
    call.leg.respond(call.refer(), "202 Accepted")
    call.notify("SIP/2.0 100 Trying", "terminated;reason=timeout")
    assert call.result() is False


def test_a_pbx_that_hangs_up_right_away(call: Transferred, desk: Desk, phone: Phone) -> None:
    call.leg.respond(call.refer(), "202 Accepted")
    until(lambda: desk.calls[0]._transfer.is_under_way, what="the 202")  # type: ignore[union-attr]
    assert call.leg.ask("BYE").code == 200
    assert call.result() is True
    assert ended(desk) == "transferred"
    no_traces(phone)


def test_a_caller_who_hangs_up_before_the_answer(call: Transferred, desk: Desk, phone: Phone) -> None:
    refer = call.refer()
    assert call.leg.ask("BYE").code == 200
    assert call.result() is False
    assert ended(desk) == "caller hung up"
    call.leg.respond(refer, "202 Accepted")
    assert call.leg.peer.is_answered()
    no_traces(phone)


def test_a_pbx_without_notifications_takes_care_of_it(call: Transferred, peer: Peer, desk: Desk) -> None:
    """RFC 4488: Refer-Sub: false."""
    call.leg.respond(call.refer(), "202 Accepted", "Refer-Sub: false")
    call.leg.respond(peer.requested("BYE"))
    assert call.result() is True
    assert ended(desk) == "transferred"


def test_a_notify_that_overtakes_the_answer(call: Transferred, peer: Peer) -> None:
    refer = call.refer()
    assert call.notify("SIP/2.0 200 OK", OVER) == 200
    call.leg.respond(refer, "202 Accepted")
    call.leg.respond(peer.requested("BYE"))
    assert call.result() is True


@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [
        ("401 Unauthorized", "WWW-Authenticate", "Authorization"),
        ("407 Proxy Authentication Required", "Proxy-Authenticate", "Proxy-Authorization"),
    ],
)
def test_a_challenge_is_answered(call: Transferred, peer: Peer, status: str, asks: str, answers: str) -> None:
    first = call.refer()
    assert first.header(answers) is None
    call.leg.respond(first, status, f"{asks}: {CHALLENGE}")
    again = call.refer()
    assert 'username="voicemail"' in (again.header(answers) or "")
    assert again.cseq[0] == first.cseq[0] + 1
    call.leg.respond(again, "202 Accepted")
    call.notify("SIP/2.0 200 OK", OVER, f"refer;id={again.cseq[0]}")
    call.leg.respond(peer.requested("BYE"))
    assert call.result() is True


def test_wrong_credentials(call: Transferred) -> None:
    for _ in range(2):
        call.leg.respond(call.refer(), "401 Unauthorized", f"WWW-Authenticate: {CHALLENGE}")
    assert call.result() is False


def test_our_password_is_for_the_registrar_alone(peer: Peer, desk: Desk, phone: Phone) -> None:
    phone.challengers = Challengers(phone.gate.may_call, ["registrar"])
    phone.challengers.know("registrar", ["192.0.2.1"])
    call = Transferred(peer, desk)
    call.leg.respond(call.refer(), "401 Unauthorized", f"WWW-Authenticate: {CHALLENGE}")
    assert call.result() is False
    assert peer.is_answered()
    assert [message.method for message in peer.heard].count("REFER") == 1


def test_a_notify_of_an_earlier_transfer_says_nothing(peer: Peer, desk: Desk, phone: Phone) -> None:
    call = Transferred(peer, desk)
    refer = call.refer()
    call.leg.respond(refer, "202 Accepted")
    assert call.notify("SIP/2.0 200 OK", OVER, f"refer;id={refer.cseq[0] + 7}") == 200
    call.notify("SIP/2.0 486 Busy Here", OVER, f"refer;id={refer.cseq[0]}")
    assert call.result() is False


@pytest.mark.parametrize("body", ["SIP/2.0 2000 OK", "HTTP/1.1 200 OK", "200 OK", "\x00" * 50])
def test_a_body_that_cannot_be_read_is_no_result(call: Transferred, body: str) -> None:
    call.leg.respond(call.refer(), "202 Accepted")
    assert call.notify(body) == 200
    assert call.result() is False


def test_a_notify_that_nobody_asked_for(peer: Peer, phone: Phone, desk: Desk) -> None:
    leg = Leg(peer)
    leg.establish()
    assert leg.ask("NOTIFY", "Event: refer", "Subscription-State: active").code == 481
    call = Transferred(peer, desk)
    call.refer()
    assert call.notify("", event="message-summary") == 489
    leg.ask("BYE")


@pytest.mark.parametrize(
    "target", ["", "a b", "1\r\nX: y", "sip:1@h?Replaces=a", "http://h/", "tel:1", "sip:1@h>", "1" * 65]
)
def test_a_target_that_is_none_is_not_sent(peer: Peer, desk: Desk, phone: Phone, target: str) -> None:
    call = Transferred(peer, desk, target)
    assert call.result() is False
    assert all(message.method != "REFER" for message in peer.heard)


@pytest.mark.parametrize(
    ("target", "uri"),
    [
        ("100", "sip:100@192.0.2.1"),
        ("#31#100", "sip:%2331%23100@192.0.2.1"),
        ("+4930", "sip:+4930@192.0.2.1"),
        ("sip:desk@pbx.example", "sip:desk@pbx.example"),
    ],
)
def test_where_a_target_is(target: str, uri: str) -> None:
    assert refer_to(target, ("192.0.2.1", 5060)) == uri
    assert refer_to("100", ("2001:db8::1", 5080)) == "sip:100@[2001:db8::1]:5080"


def test_a_call_that_is_over_is_not_transferred(peer: Peer, desk: Desk, phone: Phone) -> None:
    leg = Leg(peer)
    leg.establish()
    leg.ask("BYE")
    ended(desk)
    assert desk.calls[0].transfer("100") is False
