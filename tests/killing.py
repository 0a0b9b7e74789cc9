"""A process that is killed before a given line of the code that a test is about."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection
from itertools import count
from types import FrameType
from typing import Any


def killed_at(line: int, act: Callable[[], object], traced: Collection[str]) -> bool:
    """Run act() in a process that is killed before the line-th line of the traced files; whether it came that far."""
    child = os.fork()
    if child == 0:
        try:
            sys.settrace(_killer(line, traced))
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _killer(line: int, traced: Collection[str]) -> Callable[[FrameType, str, Any], Any]:
    passed = count(1)

    def in_ours(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line" and next(passed) == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return in_ours

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return in_ours if frame.f_code.co_filename in traced else None

    return trace
