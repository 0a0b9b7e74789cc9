"""Listen: what of it no conversation shows (tests/plays has the rest)."""

from __future__ import annotations

import pytest

from tests.calls.scripted import HANG_UP, scripted_call
from voice.errors import CallEnded
from voice.events import Digit, PlaybackDone
from voice.media.recorder import SpoolWriter
from voice.verbs import Listen, Listened

WRITER = SpoolWriter()
MESSAGE = Listen(b"message", back="7", ahead="9", pause="0")


def test_a_key_typed_ahead_ends_it_before_it_is_heard() -> None:
    call, _, stream = scripted_call(WRITER)
    call.post(Digit("3"))
    assert MESSAGE.run(call) == Listened("3")
    assert stream.played == []


def test_the_end_of_another_sound_is_not_its_end() -> None:
    call, _, _ = scripted_call(WRITER, on_play={1: (PlaybackDone(7), Digit("2"))})
    assert MESSAGE.run(call).key


def test_hanging_up_in_a_pause_ends_it() -> None:
    call, _, stream = scripted_call(WRITER, on_play={1: (Digit("0"),), 2: (HANG_UP,)})
    with pytest.raises(CallEnded):
        MESSAGE.run(call)
    assert stream.stopped == 1
