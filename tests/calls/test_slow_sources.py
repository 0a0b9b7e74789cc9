"""Sources of wrong PINs wait longer each time."""

from __future__ import annotations

from voice.slow_sources import FORGET_SECONDS, MOST_SOURCES, SlowSources


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_failure_makes_the_next_answer_later() -> None:
    slow = SlowSources(Clock())
    delays = []
    for _ in range(8):
        delays.append(slow.delay("guesser"))
        slow.failed("guesser")
    assert delays == [0, 0, 1, 2, 4, 8, 8, 8]
    assert slow.delay("somebody else") == 0


def test_it_is_forgotten_after_a_while() -> None:
    clock = Clock()
    slow = SlowSources(clock)
    for _ in range(3):
        slow.failed("guesser")
    clock.now = FORGET_SECONDS
    assert slow.delay("guesser") == 0


def test_many_sources_take_no_more_memory_and_push_out_the_oldest() -> None:
    slow = SlowSources(Clock())
    for _ in range(3):
        slow.failed("guesser")
    for number in range(MOST_SOURCES - 1):
        slow.failed(str(number))
    assert slow.delay("guesser") == 2
    slow.failed("one more")
    assert slow.delay("guesser") == 0
