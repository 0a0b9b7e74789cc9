"""Who speaks while a menu waits for keys is heard, once a sentence."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from voice.media import g711, wav
from voice.media.g711 import Law
from voice.media.sender import Playback, Sender
from voice.media.sentence import PAUSE_SECONDS, TOGETHER, SentenceEars
from voice.prompts import BUILT_IN

FRAME = 160
WORST_DELAY = PAUSE_SECONDS + 0.28 + 0.3 + TOGETHER * 0.02


@cache
def sentence(law: Law) -> bytes:
    """Two seconds of speech."""
    return g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav")[: 2 * 16_000], law)


class Room:
    """Ears, the sender of the same call, and the seconds at which sentences ended."""

    def __init__(self, law: Law = Law.PCMU) -> None:
        self.law, self.sender = law, Sender(law, 0, lambda _token: None)
        self.ears = SentenceEars(law, lambda: self.told.append(self.now), self.sender)
        self.told: list[float] = []
        self.now = 0.0

    def hears(self, payload: bytes, size: int = FRAME) -> None:
        for start in range(0, len(payload), size):
            self.now += size / 8000
            self.ears.frame(payload[start : start + size])

    def is_quiet(self, seconds: float) -> None:
        self.hears(self.law.silence(round(seconds * 8000)))


@pytest.mark.parametrize("law", Law)
@pytest.mark.parametrize("size", [80, 160, 240, 480])
def test_a_sentence_is_told_at_its_end_and_once(law: Law, size: int) -> None:
    room = Room(law)
    room.is_quiet(1.0)
    room.hears(sentence(law), size)
    assert room.told == []
    ended = room.now
    room.is_quiet(3.0)
    assert len(room.told) == 1
    assert room.told[0] - ended <= WORST_DELAY


def test_each_sentence_is_told() -> None:
    room = Room()
    for _ in range(3):
        room.hears(sentence(Law.PCMU))
        room.is_quiet(2.0)
    assert len(room.told) == 3


def test_a_click_is_no_sentence() -> None:
    room = Room()
    room.is_quiet(1.0)
    room.hears(sentence(Law.PCMU)[4000 : 4000 + 800])
    room.is_quiet(2.0)
    assert room.told == []


def test_neither_silence_nor_noise_is_a_sentence() -> None:
    noise = np.random.default_rng(7).standard_normal(5 * 8000) * 150
    room = Room()
    room.hears(g711.encode(noise.astype("<i2").tobytes(), Law.PCMU))
    room.is_quiet(5.0)
    assert room.told == []


def test_a_busy_tone_is_no_sentence() -> None:
    times = np.arange(8 * 8000) / 8000
    tone = 3000 * (np.sin(2 * np.pi * 480 * times) + np.sin(2 * np.pi * 620 * times)) * (times % 1.0 < 0.5)
    room = Room()
    room.hears(g711.encode(tone.astype("<i2").tobytes(), Law.PCMU))
    room.is_quiet(2.0)
    assert room.told == []


def test_what_comes_while_we_play_may_be_our_own_echo() -> None:
    room = Room()
    room.sender.playback = Playback(sentence(Law.PCMU), 1)
    room.hears(sentence(Law.PCMU))
    room.sender.playback = None
    room.is_quiet(3.0)
    assert room.told == []
    room.hears(sentence(Law.PCMU))
    room.is_quiet(2.0)
    assert len(room.told) == 1


def test_a_key_takes_back_what_was_said_before_it() -> None:
    room = Room()
    room.hears(sentence(Law.PCMU))
    room.ears.begin_anew()
    room.is_quiet(3.0)
    assert room.told == []
