"""A pace: something happens for a key at once, and then again after a while at the earliest. SIP thread only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from voice.sip.timers import Timers


class Pacer:
    """Calls act(key) for each wish; of the wishes within `seconds` after it the last one at their end, for all."""

    def __init__(self, timers: Timers, seconds: float, act: Callable[[str], None]) -> None:
        self._timers, self._seconds, self._act = timers, seconds, act
        # Keys that rest; True: it is wished for again.
        self._resting: dict[str, bool] = {}

    def wish(self, key: str) -> None:
        """Have it done, now or as soon as the pace allows."""
        if key in self._resting:
            self._resting[key] = True
            return
        self._resting[key] = False
        self._timers.call_later(self._seconds, partial(self._rested, key))
        self._act(key)

    def _rested(self, key: str) -> None:
        if self._resting.pop(key):
            self.wish(key)
