"""Keys of one call, whichever way they come: telephone events, INFO, tones."""

from __future__ import annotations

from collections.abc import Callable

SAME_KEY_SECONDS = 0.5


class Keys:
    """Tells each key once where the phone signals it in two ways. Pure; `now` is any steady clock in seconds."""

    __slots__ = ("_last", "_now", "_on_key")

    def __init__(self, on_key: Callable[[str], None], now: Callable[[], float]) -> None:
        self._on_key, self._now = on_key, now
        self._last: tuple[str, str, float] | None = None

    def tell(self, key: str, way: str) -> None:
        """A key has come this way."""
        last, now = self._last, self._now()
        if last is not None and last[0] == key and last[1] != way and now - last[2] < SAME_KEY_SECONDS:
            self._last = None
            return
        self._last = (key, way, now)
        self._on_key(key)

    def goes_on(self, key: str, way: str) -> None:
        """The key is still held: some phones send INFO when it is let go."""
        if self._last is not None and self._last[:2] == (key, way):
            self._last = (key, way, self._now())
