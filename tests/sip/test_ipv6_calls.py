"""Calls over IPv6: signalling and audio on ::1, and a phone that serves both versions of IP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.media.peer import Ear, numbered
from tests.media.peer import Peer as Handset
from tests.sip.conftest import Desk, start_phone
from tests.sip.desk import no_traces
from tests.sip.peer import Leg, Peer, audio
from tests.support import has_ipv6_loopback, missing, until
from voice.events import Digit, HoldChanged
from voice.media.loop import MediaLoop
from voice.sip import Phone, SipMessage

pytestmark = pytest.mark.usefixtures("ipv6")
FAST = 0.004


@pytest.fixture
def ipv6() -> None:
    if not has_ipv6_loopback():
        missing("this machine has no IPv6 loopback")


@dataclass
class Line:
    """A phone that listens on one address, and a peer that calls it by another."""

    phone: Phone
    leg: Leg
    handset: Handset

    def offer(self, *lines: str) -> bytes:
        return audio(*lines, port=self.handset.port, address=self.handset.host)


@pytest.fixture
def line(desk: Desk, loop: MediaLoop) -> Iterator[Callable[..., Line]]:
    with ExitStack() as stack:

        def start(host: str, signalling: str, media: str, public_address: str = "") -> Line:
            phone = start_phone(desk, loop, host=host, public_address=public_address)
            stack.callback(phone.stop)
            peer, handset = Peer((signalling, phone.sip.myPort)), Handset(host=media)
            stack.callback(peer.close)
            stack.callback(handset.close)
            return Line(phone, Leg(peer), handset)

        yield start


def connection(message: SipMessage) -> list[str]:
    """The addresses of a description, with the version they are said to be of."""
    lines = message.content.decode().split("\r\n")
    return sorted({text.split("IN ", 1)[1] for text in lines if text.startswith(("o=", "c="))})


def talk(desk: Desk, line: Line) -> None:
    """Both hear each other, and a key is heard."""
    until(lambda: line.handset.heard, what="audio")
    stream, ear = desk.calls[-1].stream, Ear()
    stream.record(ear)
    line.handset.say(stream, numbered(10), FAST)
    line.handset.press(stream, 7)
    until(lambda: Digit("7") in desk.events, what="the key")
    stream.play(b"".join(numbered(5, 50)), "played")
    until(lambda: b"".join(numbered(5, 50)) in line.handset.audio(), what="what was played")
    stream.stop_recording()
    assert ear.heard.startswith(b"".join(numbered(10)))


@pytest.mark.parametrize("late", [False, True])
def test_a_call_over_ipv6(line: Callable[..., Line], desk: Desk, late: bool) -> None:
    six = line("::1", "::1", "::1")
    if late:
        six.leg.send("INVITE")
        answer = six.leg.final()
        six.leg.ack(answer, body=six.offer())
    else:
        answer = six.leg.establish(body=six.offer())
    assert (answer.code, connection(answer)) == (200, ["IP6 ::1"])
    assert answer.header("Contact") == f"<sip:voicemail@[::1]:{six.phone.sip.myPort}>"
    talk(desk, six)
    assert six.leg.ask("BYE").code == 200
    no_traces(six.phone)


def test_hold_and_another_address(line: Callable[..., Line], desk: Desk) -> None:
    six = line("::1", "::1", "::1")
    six.leg.establish(body=six.offer())
    for held in ("::", "0.0.0.0"):
        assert six.leg.ask("INVITE", body=audio(address=held)).code == 200
        until(lambda: desk.events[-1:] == [HoldChanged(True)], what="hold")
        assert six.leg.ask("INVITE", body=six.offer()).code == 200
        until(lambda: desk.events[-1:] == [HoldChanged(False)], what="resume")
    talk(desk, six)
    assert six.leg.ask("INVITE", body=audio()).code == 488, "IPv4, which a call over IPv6 cannot go on with"
    moved = Handset(host="::1")
    try:
        assert six.leg.ask("INVITE", body=audio(port=moved.port, address="0:0:0:0:0:0:0:1")).code == 200
        until(lambda: moved.heard, what="audio at the new address")
    finally:
        moved.close()
    assert six.leg.ask("BYE").code == 200


@pytest.mark.parametrize(
    ("signalling", "media", "named"),
    [
        ("127.0.0.1", "127.0.0.1", "IP4 127.0.0.1"),
        ("::1", "::1", "IP6 ::1"),
        ("::1", "127.0.0.1", "IP4 127.0.0.1"),
        ("127.0.0.1", "::1", "IP6 ::1"),
    ],
)
def test_a_phone_on_both_speaks_to_each_as_it_asks(
    line: Callable[..., Line], desk: Desk, signalling: str, media: str, named: str
) -> None:
    both = line("::", signalling, media)
    answer = both.leg.establish(body=both.offer())
    assert connection(answer) == [named]
    assert "::ffff" not in str(answer.fields)
    assert desk.calls[0].source[0] == signalling
    talk(desk, both)
    desk.calls[0].hangup()
    both.leg.respond(both.leg.peer.requested("BYE"))
    no_traces(both.phone)


def test_a_public_address_is_named_to_its_own_kind_only(line: Callable[..., Line]) -> None:
    both = line("::", "::1", "::1", public_address="192.0.2.1")
    answer = both.leg.establish(body=both.offer())
    assert connection(answer) == ["IP6 ::1"]
    assert both.leg.ask("BYE").code == 200
    four = audio()
    answer = Leg(both.leg.peer).establish(body=four)
    assert connection(answer) == ["IP4 192.0.2.1"]


@pytest.mark.parametrize(
    ("host", "offer"),
    [
        ("::1", audio()),
        ("::1", audio(address="ff02::1")),
        ("::1", audio(address="::ffff:127.0.0.1")),
        ("::1", audio(address="fe80::1%lo")),
        ("::1", audio().replace(b"IN IP4 127.0.0.1\r\nt=", b"IN IP6 127.0.0.1\r\nt=")),
        ("::1", audio(address="::1").replace(b"IN IP6 ::1", b"IN IP4 ::1")),
        ("127.0.0.1", audio(address="::1")),
    ],
)
def test_what_cannot_be_reached_is_refused(line: Callable[..., Line], host: str, offer: bytes) -> None:
    some = line(host, host, host)
    some.leg.invite(body=offer)
    answer = some.leg.final()
    some.leg.ack(answer)
    assert answer.code == 488
    no_traces(some.phone)
