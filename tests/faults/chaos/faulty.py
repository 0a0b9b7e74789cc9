"""What servers that can be told to go wrong have in common."""

from __future__ import annotations

import threading

HOST = "127.0.0.1"


class Faulty:
    """wrong: how it goes wrong at the moment, empty where it does not; any thread may look."""

    name = ""

    def __init__(self) -> None:
        self.wrong = ""
        self._right = threading.Event()
        self._right.set()

    def go_wrong(self, how: str) -> None:
        """From now on, in this way and no other."""
        self._right.clear()
        self.wrong = how

    def recover(self, how: str) -> None:
        """End this kind of fault, where another has not taken its place."""
        if self.wrong == how:
            self.wrong = ""
            self._right.set()

    def wait_right(self, seconds: float = 60.0) -> None:
        """For whoever is to hang: until all is well again."""
        self._right.wait(seconds)
