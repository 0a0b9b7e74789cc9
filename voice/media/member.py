"""Streams as the media loop sees them."""

from __future__ import annotations

from typing import Protocol


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
        """What is due is not one more packet of the same: send it, and by yourself."""

    def take_apart(self, data: bytes, now: float) -> None:
        """Take a datagram that does not look like those before it; what waits came before it."""

    def settle(self) -> None:
        """As many packets wait as may: look at them."""

    def go_apart(self) -> None:
        """Send and read by yourself from now on."""
