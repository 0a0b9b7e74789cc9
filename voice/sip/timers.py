"""Timers of the SIP thread and the values of RFC 3261 section 17 (seconds)."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

COMPACT_ABOVE = 256


@dataclass(frozen=True)
class TimerValues:
    """T1: estimate of the round trip; T2: longest interval between repeats; T4: a message's life in the network;
    min_session: the shortest session interval that is taken, and what RFC 4028 section 4 lets nobody go below."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    min_session: int = 90

    @property
    def give_up(self) -> float:
        """64*T1: timers B, F, H, J and L."""
        return 64 * self.t1


class Timer:
    """One pending callback; cancel() may be called at any time and more than once."""

    __slots__ = ("_timers", "callback", "due")

    def __init__(self, due: float, callback: Callable[[], None], timers: Timers) -> None:
        self.due = due
        self.callback: Callable[[], None] | None = callback
        self._timers = timers

    def cancel(self) -> None:
        if self.callback is not None:
            self.callback = None
            self._timers.note_cancelled()


class Timers:
    """Callbacks by due time, used from one thread only. `clock` returns seconds and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def now(self) -> float:
        """Seconds of the clock."""
        return self._clock()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back once, `delay` seconds from now."""
        timer = Timer(self._clock() + delay, callback, self)
        heapq.heappush(self._heap, (timer.due, next(self._order), timer))
        return timer

    def next_delay(self) -> float | None:
        """Seconds until the next callback is due (0 where it is late), or None where none is pending."""
        while self._heap and self._heap[0][2].callback is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return max(0.0, self._heap[0][0] - self._clock()) if self._heap else None

    def pop_due(self) -> Callable[[], None] | None:
        """Take the next callback that is due, or None."""
        delay = self.next_delay()
        if delay is None or delay > 0:
            return None
        timer = heapq.heappop(self._heap)[2]
        callback, timer.callback = timer.callback, None
        return callback

    def note_cancelled(self) -> None:
        """A cancelled timer stays in the heap until it is due or until half of the heap is cancelled."""
        self._cancelled += 1
        if self._cancelled > COMPACT_ABOVE and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0
