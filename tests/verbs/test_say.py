"""Say: heard to its end, or interrupted by any key, which the next who asks gets."""

from __future__ import annotations

import pytest

from tests.calls.scripted import HANG_UP, scripted_call
from voice.errors import CallEnded
from voice.events import Digit, PlaybackDone
from voice.media.recorder import SpoolWriter
from voice.verbs import Say

WRITER = SpoolWriter()


def test_it_is_heard_to_its_end() -> None:
    call, _, stream = scripted_call(WRITER)
    assert Say(b"hello").run(call)
    assert stream.played == [b"hello"]
    assert not call.typed_ahead()


@pytest.mark.parametrize("key", "0123456789*#")
def test_any_key_interrupts_and_is_left_to_be_taken(key: str) -> None:
    call, _, stream = scripted_call(WRITER, on_play={1: (Digit(key), Digit("5"))})
    assert not Say(b"hello").run(call)
    assert stream.stopped == 1
    assert [call.wait(0), call.wait(0), call.wait(0)] == [Digit(key), Digit("5"), None]


def test_what_was_typed_ahead_is_not_talked_over() -> None:
    call, _, stream = scripted_call(WRITER)
    call.post(Digit("1"))
    assert not Say(b"hello").run(call)
    assert stream.played == []
    assert call.typed_ahead()


def test_the_end_of_what_played_before_is_not_its_end() -> None:
    call, _, _ = scripted_call(WRITER, on_play={1: (PlaybackDone(0), Digit("1"))})
    assert not Say(b"hello").run(call)


def test_hanging_up_ends_it() -> None:
    call, _, _ = scripted_call(WRITER, on_play={1: (HANG_UP,)})
    with pytest.raises(CallEnded):
        Say(b"hello").run(call)
