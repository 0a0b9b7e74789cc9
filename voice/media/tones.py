"""The tones callers hear, as 16-bit samples at 8 kHz; each ends on a whole frame and clicks at neither end."""

from __future__ import annotations

import math
from array import array

from voice.media import FRAME_SAMPLES, SAMPLE_RATE

BEEP_HZ = 1000
CONFIRMATION_HZ = (660, 990)
FAILURE_HZ = (440, 330)
PEAK = 32767 * 10 ** (-12 / 20)
RAMP_SAMPLES = 80


def beep() -> bytes:
    """Speak now: 0.4 s of 1000 Hz."""
    return _pcm(_note(BEEP_HZ, 0.4))


def confirmation() -> bytes:
    """The message is kept: two rising notes, 0.36 s."""
    return _pcm([sample for hertz in CONFIRMATION_HZ for sample in _note(hertz, 0.18)])


def failure() -> bytes:
    """Something went wrong: two falling notes, 0.6 s; unlike any country's busy tone."""
    return _pcm([sample for hertz in FAILURE_HZ for sample in _note(hertz, 0.3)])


def _note(hertz: float, seconds: float) -> list[int]:
    count = round(seconds * SAMPLE_RATE / FRAME_SAMPLES) * FRAME_SAMPLES
    return [
        round(
            PEAK
            * min(1.0, position / RAMP_SAMPLES, (count - 1 - position) / RAMP_SAMPLES)
            * math.sin(2 * math.pi * hertz * position / SAMPLE_RATE)
        )
        for position in range(count)
    ]


def _pcm(samples: list[int]) -> bytes:
    return array("h", samples).tobytes()
