"""Gather: digits, the finish key, pauses, attempts, keys typed ahead, and who speaks instead."""

from __future__ import annotations

from typing import Any

import pytest

from tests.calls.scripted import HANG_UP, scripted_call
from voice.call import Call
from voice.errors import CallEnded
from voice.events import Digit, Event, PlaybackDone, Spoke
from voice.media.recorder import SpoolWriter
from voice.verbs import Gather, Gathered

WRITER = SpoolWriter()
SOON = {"first_timeout": 0.01, "between": 0.01}


def keys(pressed: str) -> tuple[Event, ...]:
    return tuple(Digit(key) for key in pressed)


def gather(most: int, typed: str = "", on_play: Any = None, **wanted: Any) -> tuple[Gathered, list[bytes], Call]:
    """What was gathered, what was played, and the call."""
    call, _, stream = scripted_call(WRITER, on_play=on_play or {})
    for key in typed:
        call.post(Digit(key))
    return Gather(b"prompt", most, **(SOON | wanted)).run(call), stream.played, call


@pytest.mark.parametrize(
    ("most", "typed", "gathered"),
    [
        (1, "1", Gathered("1")),
        (4, "1234", Gathered("1234")),
        (10, "1234#", Gathered("1234", "#")),
        (10, "#", Gathered("", "#")),
        (10, "12", Gathered("12")),  # a pause ends it
        (10, "*", Gathered("*")),
        (64, "1" * 40 + "#", Gathered("1" * 40, "#")),
    ],
)
def test_keys_typed_ahead_count_and_nothing_is_said(most: int, typed: str, gathered: Gathered) -> None:
    assert gather(most, typed)[:2] == (gathered, [])


@pytest.mark.parametrize("finish_on", ["#", "*#", ""])
def test_the_finish_keys_are_those_asked_for(finish_on: str) -> None:
    gathered, _, _ = gather(2, "1*", finish_on=finish_on)
    assert gathered == (Gathered("1", "*") if "*" in finish_on else Gathered("1*"))


def test_a_key_beyond_the_last_is_left_for_the_next_who_asks() -> None:
    gathered, _, call = gather(2, "123")
    assert (gathered, call.wait(0)) == (Gathered("12"), Digit("3"))


def test_keys_interrupt_the_prompt() -> None:
    gathered, played, _ = gather(10, on_play={1: keys("47#")})
    assert (gathered, played) == (Gathered("47", "#"), [b"prompt"])


@pytest.mark.parametrize("attempts", [1, 3])
def test_who_presses_nothing_is_asked_again_and_then_no_more(attempts: int) -> None:
    gathered, played, _ = gather(1, attempts=attempts)
    assert not gathered
    assert played == [b"prompt"] * attempts


def test_who_answers_at_the_third_time_is_heard() -> None:
    gathered, played, _ = gather(1, on_play={3: keys("7")})
    assert (gathered.digits, len(played)) == ("7", 3)


def test_who_speaks_instead_is_told_once_that_keys_are_wanted() -> None:
    said = (PlaybackDone(1), Spoke())
    gathered, played, _ = gather(2, on_play={1: said, 2: (PlaybackDone(2), Spoke(), *keys("5"))}, spoken=b"press keys")
    assert gathered == Gathered("5")
    assert played == [b"prompt", b"press keys"]


def test_who_speaks_while_the_prompt_plays_is_not_told() -> None:
    _, played, _ = gather(1, on_play={1: (Spoke(), PlaybackDone(1), *keys("5"))}, spoken=b"press keys")
    assert played == [b"prompt"]


def test_hanging_up_ends_it() -> None:
    with pytest.raises(CallEnded):
        gather(4, on_play={1: (Digit("1"), HANG_UP)})


def test_a_room_in_which_somebody_always_speaks_ends_like_one_in_which_nobody_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call, _, stream = scripted_call(WRITER)
    now = 0.0

    def speaks(timeout: float | None = None) -> Event | None:
        nonlocal now
        if timeout is None:
            return PlaybackDone(len(stream.played))
        now += min(timeout, 1.0)
        return Spoke() if timeout else None

    monkeypatch.setattr(call, "_clock", lambda: now)
    monkeypatch.setattr(call, "wait", speaks)
    assert not Gather(b"prompt", 1, first_timeout=6.0, attempts=3, spoken=b"press keys").run(call)
    assert stream.played == [b"prompt", b"press keys"] * 3
    assert now == pytest.approx(3 * 7.0)
