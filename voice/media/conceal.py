"""What stands in a recording for packets that never came. Pure: G.711 in, G.711 out.

After ITU-T G.711 Appendix I: the last pitch period goes on and fades within 60 ms. Since a gap is known only once the
audio behind it is there, that is carried on backwards too, and the two are cross-faded. Audio that came stays as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voice.media.g711 import Law, decode, encode

Samples = NDArray[np.float64]

SHORTEST_PERIOD, LONGEST_PERIOD = 40, 120
"""Samples of a pitch period: 200 to 66 Hz; a higher voice is found by a multiple of its period."""
COMPARED = 160
CONTEXT = LONGEST_PERIOD + COMPARED
"""Samples before and after a gap that are looked at."""
FULL, FADED = 80, 480
"""Samples into a gap at which the fading begins and ends: 10 ms and 60 ms."""
RISE = 80
"""Samples before the end of a long gap in which the audio after it rises."""
REPAIRED_TOGETHER = 4
"""Gaps of one block of audio that are concealed; others stay silent. Each takes up to 0.2 ms of the media loop."""


class Concealer:
    """Conceals the gaps of one recording, block by block. A block without gaps costs next to nothing."""

    __slots__ = ("_before", "_gaps", "_law")

    def __init__(self, law: Law) -> None:
        self._law = law
        self._before = b""
        self._gaps: list[tuple[int, int]] = []

    @property
    def full(self) -> bool:
        """Whether the next block has as many gaps as are concealed."""
        return len(self._gaps) >= REPAIRED_TOGETHER

    def gap(self, start: int, samples: int) -> None:
        """The next block has a gap that is filled with silence: where it starts, and its length."""
        self._gaps.append((start, samples))

    def block(self, data: bytes) -> bytes:
        """Take the next block of the recording; the same with its gaps concealed."""
        if self._gaps:
            gaps, self._gaps = self._gaps[:REPAIRED_TOGETHER], []
            whole = bytearray(self._before + data)
            shift = len(self._before)
            for start, samples in gaps:
                begin, end = shift + start, min(shift + start + samples, len(whole))
                if begin < end:
                    before, after = whole[max(0, begin - CONTEXT) : begin], whole[end : end + CONTEXT]
                    whole[begin:end] = conceal(bytes(before), end - begin, bytes(after), self._law)
            data = bytes(whole[shift:])
        self._before = data[-CONTEXT:] if len(data) >= CONTEXT else (self._before + data)[-CONTEXT:]
        return data


def conceal(before: bytes, samples: int, after: bytes, law: Law) -> bytes:
    """`samples` samples that lead from the audio before a gap to the audio after it, both of any length."""
    if not samples:
        return b""
    sound = np.zeros(samples, np.float64)
    near = min(samples, FADED)
    forwards, backwards = _linear(before, law), _linear(after, law)[::-1]
    begun = _carried_on(forwards, near)
    if begun is not None:
        sound[:near] = begun * _fading(near)
    ending = _carried_on(backwards, near if samples <= FADED else RISE)
    if ending is not None and samples <= FADED:
        weight = (np.arange(samples, dtype=np.float64) + 0.5) / samples
        sound = sound * (1 - weight if begun is not None else 1) + (ending * _fading(near))[::-1] * weight
    elif ending is not None:
        sound[-RISE:] += ending[::-1] * np.linspace(0, 1, RISE, dtype=np.float64)
    return encode(np.clip(np.rint(sound), -32768, 32767).astype("<i2").tobytes(), law)


def _linear(payload: bytes, law: Law) -> Samples:
    return np.frombuffer(decode(payload, law), "<i2").astype(np.float64)


def _fading(samples: int) -> Samples:
    """1 for 10 ms, then down to 0 at 60 ms."""
    fading: Samples = np.minimum(1, (FADED - np.arange(samples, dtype=np.float64)) / (FADED - FULL))
    return fading


def _carried_on(sound: Samples, samples: int) -> Samples | None:
    """The last pitch period again and again; None where there is too little to find it in."""
    if len(sound) < CONTEXT:
        return None
    sound = sound[-CONTEXT:]
    lag = _period(sound)
    overlap = lag // 4
    weight = np.arange(1, overlap + 1, dtype=np.float64) / overlap
    period = sound[-lag:].copy()
    # Its end is led over to what came before its beginning, so that it joins itself without a step.
    period[-overlap:] += weight * (sound[-lag - overlap : -lag] - period[-overlap:])
    carried: Samples = np.resize(period, samples)
    # What is left of the step from the last sample that came fades within the overlap.
    step = sound[-1] - sound[-1 - lag]
    carried[:overlap] += step * weight[::-1][:samples]
    return carried


def _period(sound: Samples) -> int:
    """The lag, in samples, at which the end of the sound is most like itself (normalised cross-correlation)."""
    end = sound[-COMPARED:]
    likeness = np.correlate(sound[:-SHORTEST_PERIOD], end, "valid")
    total = np.cumsum(np.square(sound[:-SHORTEST_PERIOD]))
    energy = total[COMPARED - 1 :].copy()
    energy[1:] -= total[:-COMPARED]
    return LONGEST_PERIOD - int(np.argmax(likeness / np.sqrt(energy + 1)))
