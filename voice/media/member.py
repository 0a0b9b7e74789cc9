"""Streams as the media loop sees them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol, TypeVar

log = logging.getLogger(__name__)


class Stream(Protocol):
    """What the loop paces. All but `name` is called in the loop's thread only."""

    name: str

    def fileno(self) -> int: ...
    def receive(self) -> None:
        """Read one datagram from the socket, which is readable."""

    def tick(self) -> None:
        """Send the packet of this 20 ms, or of this 10 ms (MediaLoop.pace)."""

    def check(self, now: float) -> None:
        """Called about once a second, or twice where it is ticked each 10 ms."""

    def removed(self, broken: bool) -> None:
        """The loop will call no more; the socket is to be closed here."""


class Member(Stream, Protocol):
    """A stream that may send and read together with others, once its socket is connected. It does not block."""

    def send_apart(self) -> None:
        """The next packet is not one more of the same: send it by yourself."""

    def take_apart(self, data: bytes, now: float) -> None:
        """Take a datagram that is not the next packet of audio; what waited has been taken."""

    def settle(self) -> None:
        """As many packets wait as may, or others came behind them: take them."""

    def go_apart(self) -> None:
        """Send and read by yourself from now on."""


S = TypeVar("S", bound=Stream)


def attempt(stream: S, doing: str, act: Callable[[], object], on_broken: Callable[[S], object]) -> None:
    """Do something for one stream: what fails there ends that call alone, and is logged. doing: for the log."""
    try:
        act()
    except Exception:
        log.exception("call=%s media failed while %s", stream.name, doing)
        on_broken(stream)
