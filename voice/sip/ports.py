"""RTP ports: even ones, handed out in turn and left alone for a while after a call (late packets of the old one)."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

DRAIN_SECONDS = 1.0


class PortPool:
    """Even ports from `low` to `high`; the odd one above each is kept free for RTCP. Safe to use from any thread."""

    def __init__(self, low: int, high: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = deque(range(low + low % 2, high, 2))
        self._draining: deque[tuple[float, int]] = deque()
        self._clock = clock
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """A port, or None where all are in use or still draining."""
        with self._lock:
            now = self._clock()
            while self._draining and self._draining[0][0] <= now:
                self._free.append(self._draining.popleft()[1])
            return self._free.popleft() if self._free else None

    def give_back(self, port: int) -> None:
        """The port's socket is closed; it is handed out again after DRAIN_SECONDS."""
        with self._lock:
            self._draining.append((self._clock() + DRAIN_SECONDS, port))
