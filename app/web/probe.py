"""A question that may hang, such as one to a store across a network, answered in time by whoever was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Probe:
    """Asks by a thread of its own, one at a time, however many want to know and however long it takes."""

    def __init__(self, patience: float, memory: float) -> None:
        """patience: seconds to wait for an answer. memory: for how long one of before stands in for what is late."""
        self._patience, self._memory = patience, memory
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._answer: tuple[float, Exception | None] | None = None

    def ask(self, question: Callable[[], object]) -> None:
        """Return where question() returned, raise what it raised; TimeoutError where that is not known in time."""
        began = time.monotonic()
        with self._lock:
            if self._asking is None or not self._asking.is_alive():
                self._asking = threading.Thread(target=self._run, args=(question,), name="probe", daemon=True)
                self._asking.start()
            asking = self._asking
        asking.join(self._patience)
        answer = self._answer
        if answer is None or (asking.is_alive() and answer[0] < began - self._memory):
            raise TimeoutError(f"no answer within {self._patience:g} s")
        if answer[1] is not None:
            raise answer[1]

    def _run(self, question: Callable[[], object]) -> None:
        try:
            question()
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is wanted
            self._answer = time.monotonic(), error
        else:
            self._answer = time.monotonic(), None
