"""Callbacks that keep nobody alive.

The parts of a call tell each other what happens. Held strongly, such callbacks are cycles: a call that is over would
stay until a full collection of garbage, which holds up the audio of all others for tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import ParamSpec, cast
from weakref import ref

P = ParamSpec("P")


class _Weakly:
    """A tenth of the memory of a WeakMethod and a closure around it: each call has half a dozen."""

    __slots__ = ("_function", "_owner")

    def __init__(self, method: MethodType) -> None:
        self._owner, self._function = ref(method.__self__), method.__func__

    def __call__(self, *args: object, **kwargs: object) -> None:
        owner = self._owner()
        if owner is not None:
            self._function(owner, *args, **kwargs)


def weakly(method: Callable[P, object]) -> Callable[P, None]:
    """A bound method as a callback, which does nothing once the method's object is gone."""
    return _Weakly(cast("MethodType", method))
