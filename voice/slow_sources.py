"""Sources of wrong PINs wait longer each time, so that a guesser gets nowhere and an owner hardly notices."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

FREE_FAILURES = 2
LONGEST_SECONDS = 8.0
FORGET_SECONDS = 900.0
MOST_SOURCES = 10_000


class SlowSources:
    """Failures by source (a caller number at an address, or the address), for a quarter of an hour each.

    Safe from any thread.

    A right PIN takes nothing off: who has a mailbox of his own may still guess at others.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def failed(self, source: str) -> None:
        """A wrong PIN came from there."""
        with self._lock:
            self._failures[source] = (self._count(source) + 1, self._clock())
            self._failures.move_to_end(source)
            while len(self._failures) > MOST_SOURCES:
                self._failures.popitem(last=False)

    def delay(self, source: str) -> float:
        """Seconds that the next answer to this source waits: none after one failure, then 1, 2, 4 and 8."""
        with self._lock:
            over = self._count(source) - FREE_FAILURES
        return 0.0 if over < 0 else min(LONGEST_SECONDS, 2.0**over)

    def _count(self, source: str) -> int:
        count, since = self._failures.get(source, (0, 0.0))
        return count if count and self._clock() - since < FORGET_SECONDS else 0
