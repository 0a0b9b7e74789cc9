"""Errands of a call: whoever goes may take seconds, and the call hears of a hang-up meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from voice.call import Call
from voice.events import Arrived, Digit
from voice.twiml import codes
from voice.twiml.errands import ErrandFailed
from voice.verbs.kept import KeptKeys

T = TypeVar("T")
LONGEST_SECONDS = 300.0
"""Longer than any errand takes with all its time-outs: only one that is lost takes so long."""


def wait_for(call: Call, errand: Callable[[], T]) -> T:
    """What errand() returns or raises, from a thread of its own; CallEnded as soon as the call is over.

    Keys pressed meanwhile are typed ahead. An errand whose call is over goes on, and nobody gets what it brings.
    """
    token, result = object(), Future[T]()

    def run() -> None:
        try:
            result.set_result(errand())
        except BaseException as error:  # noqa: BLE001 - it is raised where the call waits
            result.set_exception(error)
        finally:
            call.post(Arrived(token))

    call.errands_out += 1
    try:
        return _come_back(call, run, result)
    finally:
        call.errands_out -= 1


def _come_back(call: Call, run: Callable[[], None], result: Future[T]) -> T:
    """Start an errand, and wait until it is back."""
    try:
        threading.Thread(target=run, name=f"errand {call.facts.call_id[:12]}", daemon=True).start()
    except RuntimeError as error:
        raise ErrandFailed(codes.INTERNAL, "This machine has no thread to spare.") from error
    deadline = call.now + LONGEST_SECONDS
    with KeptKeys(call) as kept:
        while not result.done():
            event = call.wait(max(0.0, deadline - call.now))
            if isinstance(event, Digit):
                kept.take(event)
            elif event is None and call.now >= deadline:
                raise ErrandFailed(codes.INTERNAL, f"Nothing came of it within {LONGEST_SECONDS:.0f} s.")
    return result.result()
