"""Transactions without a network: a clock that a test moves, and what was sent at which time of it."""

from __future__ import annotations

from tests.sip.messages import parsed, request
from voice.sip import SipMessage
from voice.sip.timers import Timers, TimerValues
from voice.sip.transactions import InviteTransaction, Transactions


class Wire:
    """A clock and what was sent at which time of it."""

    def __init__(self, limit: int = 20000) -> None:
        self.now = 0.0
        self.sent: list[tuple[float, bytes]] = []
        self.timers = Timers(lambda: self.now)
        self.transactions = Transactions(self._send, self.timers, TimerValues(), limit)

    def _send(self, data: bytes, _destination: tuple[str, int]) -> None:
        self.sent.append((self.now, data))

    def pass_until(self, end: float) -> None:
        """Let the time go by, timer by timer."""
        while (delay := self.timers.next_delay()) is not None and self.now + delay <= end:
            self.now += delay
            while (callback := self.timers.pop_due()) is not None:
                callback()
        self.now = end

    def times(self, data: bytes) -> list[float]:
        return [when for when, what in self.sent if what == data]

    def invite(self) -> tuple[SipMessage, InviteTransaction]:
        message = parsed(request("INVITE", replace={"Via": "SIP/2.0/UDP h;branch=z9hG4bK-one;rport"}))
        made = self.transactions.create_server(message)
        assert isinstance(made, InviteTransaction)
        return message, made
