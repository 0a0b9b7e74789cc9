"""Events on their way from a call to who listens."""

from __future__ import annotations

import threading
from collections.abc import Callable

from voice.events import Event


class EventBox:
    """Hands each event to the listener, in order, from any thread; those before the listener is set are kept for it."""

    def __init__(self) -> None:
        self._kept: list[Event] = []
        self._listener: Callable[[Event], None] | None = None
        self._lock = threading.Lock()

    @property
    def listener(self) -> Callable[[Event], None] | None:
        return self._listener

    @listener.setter
    def listener(self, listener: Callable[[Event], None]) -> None:
        with self._lock:
            self._listener = listener
            kept, self._kept = self._kept, []
            for event in kept:
                listener(event)

    def put(self, event: Event) -> None:
        """Hand over, or keep."""
        with self._lock:
            if self._listener:
                self._listener(event)
            else:
                self._kept.append(event)
