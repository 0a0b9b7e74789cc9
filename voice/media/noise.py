"""The background of a pause in which a peer sends nothing, by the level that it tells (RFC 3389)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from voice.media import FRAME_SAMPLES, SAMPLE_RATE
from voice.media.g711 import Law, encode

OVERLOAD = 32768
LOUDEST, QUIETEST = 64, 80
"""-dBov. Noise that sets in where a clean voice pauses would pass for speech for seconds, so it stays below the lowest
gate of the detector (voice/media/silence.py) whatever a peer tells: the line is heard to be alive, and no more. What is
quieter than the quietest is silence in G.711."""
FRAMES = SAMPLE_RATE // FRAME_SAMPLES


class Background:
    """What fills a pause: silence, or faint noise once a peer has told its level, until it speaks again."""

    __slots__ = ("_frames", "_law", "_next")

    def __init__(self, law: Law) -> None:
        self._law = law
        self._frames: tuple[bytes, ...] = ()
        self._next = 0

    def tell(self, payload: bytes) -> None:
        """A packet of comfort noise: its first byte is the level in -dBov (section 3.1); the spectrum is not read."""
        level = payload[0] & 0x7F if payload else QUIETEST
        self._frames = () if level >= QUIETEST else _noise(self._law, max(LOUDEST, level))

    def end(self) -> None:
        """The peer speaks again: a later gap is silence until it tells otherwise."""
        self._frames = ()

    def frame(self) -> bytes:
        """The next 20 ms."""
        if not self._frames:
            return _silence(self._law)
        self._next = (self._next + 1) % FRAMES
        return self._frames[self._next]


@lru_cache
def _silence(law: Law) -> bytes:
    return law.silence(FRAME_SAMPLES)


@lru_cache(maxsize=64)
def _noise(law: Law, level: int) -> tuple[bytes, ...]:
    """A second of white noise, a frame each. It takes half a millisecond, once for each level."""
    peak = OVERLOAD * 10 ** (-level / 20) * 3**0.5
    samples = np.random.default_rng(level).uniform(-peak, peak, SAMPLE_RATE)
    payload = encode(samples.astype("<i2").tobytes(), law)
    return tuple(payload[start : start + FRAME_SAMPLES] for start in range(0, SAMPLE_RATE, FRAME_SAMPLES))
