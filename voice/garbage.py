"""When garbage is collected: not in the midst of audio that is due."""

from __future__ import annotations

import gc

NEVER = 1 << 30
CALLS_AT_MOST = 20_000


class GarbageCollection:
    """Runs full collections where they hurt least. For the main thread.

    A full collection looks through all that lives and holds up audio meanwhile: 50 ms with 500 calls. By itself Python
    begins one whenever calls become many, though there is next to nothing to find: the parts of a call keep nobody
    alive (voice/weak.py). The collections of young objects stay as they are: they take 1 or 2 ms.
    """

    def __init__(self) -> None:
        self._calls_before = 0

    def take_over(self) -> None:
        """From now on. What is there by now stays for good, and is not looked through any more."""
        gc.collect()
        gc.freeze()
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, NEVER)

    def run(self, live: int, taken: int) -> None:
        """Called every few seconds with the number of live calls and of all so far: while there is none, or after many.

        Should something leave a cycle behind after all, a small one a call comes to some megabytes until then.
        """
        ended = taken - live - self._calls_before
        if ended >= CALLS_AT_MOST or (ended > 0 and live == 0):
            gc.collect()
            self._calls_before = taken - live
