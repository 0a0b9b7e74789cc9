"""How a call waits."""

from __future__ import annotations

import threading
from itertools import cycle

from tests.calls.scripted import ScriptedLeg
from tests.support import until
from voice.call import Call, CallFacts
from voice.events import Digit, Event
from voice.media.recorder import SpoolWriter

WAITS = 3000


def test_a_wait_for_next_to_no_time_comes_to_its_end() -> None:
    """A queue of CPython 3.11 waits for ever where its time is over before it has begun to wait."""
    leg, facts, writer = ScriptedLeg(), CallFacts("scripted@test", "2000", "Bob", ("1001",)), SpoolWriter()
    waited: list[tuple[Event | None, Event | None]] = []

    def wait() -> None:
        for _ in range(WAITS):
            # It is asked for the time when the wait begins, for what is left, and at the end: a nanosecond, then none.
            call = Call(leg, facts, writer, cycle((0.0, 0.0, 1.0)).__next__)
            call.post(Digit("1"))
            waited.append((call.wait(), call.wait(1e-9)))

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    until(lambda: not thread.is_alive(), what="the end of each wait")
    assert waited == [(Digit("1"), None)] * WAITS
