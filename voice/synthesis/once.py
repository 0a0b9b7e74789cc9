"""Twenty calls that want the same at once have it done once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Once(Generic[Result]):
    """Work by key. Safe from any thread; work for one key must not ask for the same key."""

    def __init__(self) -> None:
        self._under_way: dict[str, Future[Result]] = {}
        self._lock = threading.Lock()

    def do(self, key: str, work: Callable[[], Result]) -> tuple[Result, bool]:
        """The result of the work, and whether this call did it; raises what the work raised, for all who wait."""
        with self._lock:
            future = self._under_way.get(key)
            if mine := future is None:
                future = self._under_way[key] = Future()
        if not mine:
            return future.result(), False
        try:
            result = work()
        except BaseException as error:
            future.set_exception(error)
            raise
        else:
            future.set_result(result)
            return result, True
        finally:
            with self._lock:
                del self._under_way[key]
