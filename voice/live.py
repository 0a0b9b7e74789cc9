"""Live calls: who, in which mailbox, doing what, since when; told to the keeper as they change (voice/board.py)."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from voice.call import Call
from voice.mailbox import MailboxFacts
from voice.media.statistics import StreamStatistics

MAX_TEXT = 80
# As much as the row of a programmed call holds: the portal finds the one by the other.
LONGEST_CALL_ID = 255
CALLS_A_LINE = 25
COUNTERS = ("packets_received", "packets_lost", "packets_lost_there", "messages", "flow_faults")


class LiveCalls:
    """The calls that a worker serves at the moment, and what it has counted of those that ended.

    tell(request) hands something to the keeper without waiting for an answer. A change of one call is told at once;
    tell_all(), called every few seconds, tells everything, since a new keeper knows nothing and losses come in between.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._calls: dict[Call, tuple[dict[str, Any], Callable[[], StreamStatistics]]] = {}
        # From the time in ms on: a worker that starts anew calls no call by the name of an earlier one.
        self._numbers = itertools.count(time.time_ns() // 1_000_000)
        self._rounds = itertools.count(1)
        # Held while it tells: what is older must not come after what is newer.
        self._lock = threading.Lock()
        self.counters = dict.fromkeys(COUNTERS, 0)

    @contextmanager
    def running(
        self, call: Call, mailbox: MailboxFacts | None, since: str, statistics: Callable[[], StreamStatistics]
    ) -> Iterator[None]:
        """Show a call as long as the block runs.

        mailbox: None where nobody has said yet which it is; who logs in to another one is shown in that. since: ISO
        8601; statistics: gives its packets so far.
        """
        facts = {
            "id": next(self._numbers),
            "call_id": call.facts.call_id[:LONGEST_CALL_ID],
            "caller": call.facts.caller_number[:MAX_TEXT],
            "caller_name": call.facts.caller_name[:MAX_TEXT],
            "extension": mailbox.extension if mailbox else "",
            "mailbox_id": mailbox.id if mailbox else "",
            "timezone": mailbox.timezone if mailbox else "UTC",
            "since": since,
        }
        with self._lock:
            self._calls[call] = (facts, statistics)
            self._tell({"ask": "call", "call": self._now(call)})
        call.on_state = self._changed
        try:
            yield
        finally:
            with self._lock:
                self._calls.pop(call, None)
                self._tell({"ask": "call over", "call": facts["id"]})

    def count(self, packets: StreamStatistics, *, kept: bool) -> None:
        """A call ended: its packets, and whether it left a message."""
        with self._lock:
            self.counters["packets_received"] += packets.received
            self.counters["packets_lost"] += packets.lost
            # Of a peer that gets packets twice it is below zero (RFC 3550 section 6.4.1).
            self.counters["packets_lost_there"] += max(0, packets.peer_lost or 0)
            self.counters["messages"] += kept

    def count_fault(self) -> None:
        with self._lock:
            self.counters["flow_faults"] += 1

    def tell_all(self) -> None:
        """Tell of every call, some at a time: a long line would hold up the thread that paces media."""
        number, calls = next(self._rounds), list(self._calls)
        for start in range(0, len(calls), CALLS_A_LINE):
            with self._lock:
                some = [self._now(call) for call in calls[start : start + CALLS_A_LINE] if call in self._calls]
                self._tell({"ask": "calls", "round": number, "calls": some})
        with self._lock:
            self._tell({"ask": "calls end", "round": number})

    def _changed(self, call: Call) -> None:
        with self._lock:
            if call in self._calls:
                self._tell({"ask": "call", "call": self._now(call)})

    def _now(self, call: Call) -> dict[str, Any]:
        facts, statistics = self._calls[call]
        packets = statistics()
        now = {
            "state": call.state,
            "held": call.held,
            "received": packets.received,
            "lost": packets.lost,
            "lost_there": packets.peer_lost,
        }
        return facts | now | (asdict(call.served) if call.served else {})
