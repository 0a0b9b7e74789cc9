"""A phone that runs, and peers that call it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from tests.sip.peer import Peer
from tests.support import rtp_ports_of
from voice.events import Event
from voice.media.loop import MediaLoop
from voice.sip import Account, GateRules, Phone, SipCall
from voice.sip.timers import TimerValues

# Timers B, F and H end after 64 * T1 = 3.2 s; session intervals from 2 s on are taken.
FAST = TimerValues(t1=0.05, t2=0.2, t4=0.2, min_session=2)


class Desk:
    """Takes the calls: answers each at once, unless a test puts something else into `on_call`."""

    def __init__(self) -> None:
        self.calls: list[SipCall] = []
        self.events: list[Event] = []
        self.on_call: Callable[[SipCall], object] = SipCall.answer

    def take(self, call: SipCall) -> None:
        self.calls.append(call)
        call.on_event = self.events.append
        self.on_call(call)


@pytest.fixture(scope="module")
def loop() -> Iterator[MediaLoop]:
    running = MediaLoop()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def desk(loop: MediaLoop) -> Iterator[Desk]:
    """Its calls give their ports back at the end: the next test has few, and would find them taken."""
    made = Desk()
    yield made
    for call in made.calls:
        call.stream.stop()
    # The loop does it at its next wake-up.
    loop.call(lambda: None)


@pytest.fixture
def phone(desk: Desk, loop: MediaLoop) -> Iterator[Phone]:
    """A phone on 127.0.0.1 with room for four calls."""
    started = start_phone(desk, loop)
    yield started
    started.stop()


@pytest.fixture
def peer(phone: Phone) -> Iterator[Peer]:
    calling = Peer(("127.0.0.1", phone.sip.myPort))
    yield calling
    calling.close()


def start_phone(
    desk: Desk,
    loop: MediaLoop,
    host: str = "127.0.0.1",
    public_address: str = "",
    gate_rules: GateRules | None = None,
    account: Account | None = None,
    registers: bool = True,
) -> Phone:
    """Try free ports until one can be taken: between asking and taking, somebody else may have it."""
    for _ in range(20):
        phone = Phone(
            host=host,
            public_address=public_address,
            port=free_udp_port(),
            rtp_ports=rtp_ports_of("phone"),
            loop=loop,
            on_call=desk.take,
            max_calls=4,
            timer_values=FAST,
            gate_rules=gate_rules,
            account=account,
            registers=registers,
        )
        try:
            phone.start()
        except OSError:
            continue
        return phone
    raise AssertionError("no UDP port can be taken")


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
