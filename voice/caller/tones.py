"""Which frames of what is heard are a tone. Pure."""

from __future__ import annotations

import math
from array import array

from voice.media import SAMPLE_RATE
from voice.media.g711 import Law, decode

SHARE = 0.8
QUIETEST_RMS = 100.0
FRAMES = 5


def tone_share(samples: array[int], hertz: float) -> float:
    """The part of the samples' energy that lies at one frequency, 0 to 1 (the Goertzel algorithm)."""
    energy = float(sum(sample * sample for sample in samples))
    if energy <= QUIETEST_RMS * QUIETEST_RMS * len(samples):
        return 0.0
    factor = 2 * math.cos(2 * math.pi * hertz / SAMPLE_RATE)
    last = before = 0.0
    for sample in samples:
        last, before = sample + factor * last - before, last
    power = last * last + before * before - factor * last * before
    return 2 * power / (len(samples) * energy)


def is_tone(payload: bytes, law: Law, hertz: float) -> bool:
    """Whether a frame is that tone and little else."""
    return bool(payload) and tone_share(array("h", decode(payload, law)), hertz) >= SHARE


class ToneFinder:
    """Looks for a tone of at least FRAMES frames; with `to_its_end`, for the first frame after it."""

    def __init__(self, law: Law, hertz: float, to_its_end: bool = False) -> None:
        self._law, self._hertz, self._to_its_end = law, hertz, to_its_end
        self._run = 0

    def frame(self, payload: bytes) -> bool:
        """Take the next frame; True where the tone is found."""
        if is_tone(payload, self._law, self._hertz):
            self._run += 1
            return self._run >= FRAMES and not self._to_its_end
        ended, self._run = self._run >= FRAMES, 0
        return ended and self._to_its_end
