"""How the C library keeps the memory of many threads together."""

from __future__ import annotations

import ctypes
import sys

M_ARENA_MAX = -8


def share_one_arena() -> None:
    """Have all threads take memory from one place, where the library is glibc; before there are any.

    By itself it opens up to eight arenas a core and spreads threads over them, each with holes of its own: with a
    thread a call that comes to some kB a call. They cannot hinder each other there: the interpreter runs one at a time.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)
