"""What servers that can be told to go wrong have in common."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field

HOST = "127.0.0.1"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Arrival:
    """A delivery that was taken, as whoever took it knows it.

    text: what names the message somewhere. to: whom it was for. name: by which a second one of the same is known.
    at: seconds (monotonic) at which it was taken.
    """

    text: str
    to: str
    name: str
    at: float = field(default_factory=time.monotonic)

    @property
    def ids(self) -> set[str]:
        """Every id that it names."""
        return set(_UUID.findall(self.text))


class Faulty:
    """wrong: how it goes wrong at the moment, empty where it does not; any thread may look. arrivals: what it took."""

    name = ""

    def __init__(self) -> None:
        self.wrong = ""
        self.arrivals: list[Arrival] = []
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
