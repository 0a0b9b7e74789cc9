"""Keys of one call, whichever way they come: telephone events, INFO, tones."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

SAME_KEY_SECONDS = 1.2
"""An INFO that was lost once comes again after T1 (0.5 s), and some phones send it when the key is let go."""
REMEMBERED_PRESSES = 32


class _Press(NamedTuple):
    """A press that has come one way only. heard_at: when it came, or when its key was last heard to be held."""

    key: str
    way: str
    heard_at: float


class Keys:
    """Tells each key once where the phone signals it in two ways. Pure; `now` is any steady clock in seconds.

    A press stands for one of the same key that came another way shortly before, and for one only: the same key pressed
    twice is two presses either way, however late the second way is. Presses that come one way are always told.
    """

    __slots__ = ("_now", "_on_key", "_unmatched")

    def __init__(self, on_key: Callable[[str], None], now: Callable[[], float]) -> None:
        self._on_key, self._now = on_key, now
        # Oldest first. A tuple: most calls never have any, and an empty one takes no memory.
        self._unmatched: tuple[_Press, ...] = ()

    def tell(self, key: str, way: str) -> None:
        """A key has come this way."""
        now = self._now()
        recent = tuple(press for press in self._unmatched if now - press.heard_at < SAME_KEY_SECONDS)
        for place, press in enumerate(recent):
            if press.key == key and press.way != way:
                self._unmatched = recent[:place] + recent[place + 1 :]
                return
        self._unmatched = (*recent[1 - REMEMBERED_PRESSES :], _Press(key, way, now))
        self._on_key(key)

    def goes_on(self, key: str, way: str) -> None:
        """The key is still held: some phones send INFO when it is let go."""
        for place in reversed(range(len(self._unmatched))):
            if self._unmatched[place][:2] == (key, way):
                held = _Press(key, way, self._now())
                self._unmatched = (*self._unmatched[:place], *self._unmatched[place + 1 :], held)
                return
