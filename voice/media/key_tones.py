"""Keys as tones in the audio (ITU-T Q.23), as a telephone makes them."""

from __future__ import annotations

import math
from array import array
from functools import cache

from voice.media import SAMPLE_RATE, g711
from voice.media.g711 import Law
from voice.media.inband import GRID, HIGH_HZ, LOW_HZ

TONE_SECONDS, GAP_SECONDS = 0.1, 0.1
WAITS = {"w": 0.5, "W": 1.0}
PEAK = 32767 * 10 ** (-15 / 20)
"""Of each of the two tones."""


def key_tones(keys: str, law: Law) -> bytes:
    """The payload of these keys: 0.1 s each and 0.1 s apart; w stands for 0.5 s, W for 1 s. Others are left out."""
    return b"".join(_sound(key, law) for key in keys)


@cache
def _sound(key: str, law: Law) -> bytes:
    if key in WAITS:
        return law.silence(round(WAITS[key] * SAMPLE_RATE))
    place = "".join(GRID).find(key.upper())
    if place < 0 or len(key) != 1:
        return b""
    low, high = LOW_HZ[place // 4], HIGH_HZ[place % 4]
    turn = 2 * math.pi / SAMPLE_RATE
    samples = (
        round(PEAK * (math.sin(low * turn * position) + math.sin(high * turn * position)))
        for position in range(round(TONE_SECONDS * SAMPLE_RATE))
    )
    tone = g711.encode(array("h", samples).tobytes(), law)
    return tone + law.silence(round(GAP_SECONDS * SAMPLE_RATE))
