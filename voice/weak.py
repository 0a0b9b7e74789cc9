"""Callbacks that keep nobody alive.

The parts of a call tell each other what happens. Held strongly, such callbacks are cycles: a call that is over would
stay until a full collection of garbage, which holds up the audio of all others for tens of milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec
from weakref import WeakMethod

P = ParamSpec("P")


def weakly(method: Callable[P, object]) -> Callable[P, None]:
    """A bound method as a callback, which does nothing once the method's object is gone."""
    reference = WeakMethod(method)

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        found = reference()
        if found is not None:
            found(*args, **kwargs)

    return call
