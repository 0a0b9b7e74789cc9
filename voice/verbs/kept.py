"""Keys that are pressed while nobody asks for any, for the next who does."""

from __future__ import annotations

from types import TracebackType

from voice.call import Call
from voice.events import Digit

MOST = 1000
"""More keys than anybody types ahead."""


class KeptKeys:
    """Gives the keys that it took back to the call at the end of the block, in order, before those that came later."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._digits: list[Digit] = []

    def take(self, digit: Digit) -> None:
        """Keep a key."""
        if len(self._digits) < MOST:
            self._digits.append(digit)

    def __enter__(self) -> KeptKeys:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for digit in reversed(self._digits):
            self._call.give_back(digit)
