"""How the C library keeps the memory of many threads together."""

from __future__ import annotations

import ctypes
import sys

from app.config import start_anew_with

M_ARENA_MAX = -8
TUNABLES = "GLIBC_TUNABLES"
NO_THREAD_CACHE = "glibc.malloc.tcache_count=0"


def keep_none_for_threads() -> None:
    """Start this program anew with no cache of free memory for each thread; harmless without glibc.

    A thread a call keeps some 5 kB of it to itself until it ends. The library reads of it when it starts, never after.
    """
    if sys.platform == "linux":
        try:
            start_anew_with(TUNABLES, NO_THREAD_CACHE)
        except (OSError, ValueError):
            # Then it costs what it costs.
            return


def share_one_arena() -> None:
    """Have all threads take memory from one place, where the library is glibc; before there are any.

    By itself it opens up to eight arenas a core and spreads threads over them, each with holes of its own: with a
    thread a call that comes to some kB a call. They cannot hinder each other there: the interpreter runs one at a time.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)
