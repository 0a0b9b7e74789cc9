"""When has a caller stopped speaking? webrtcvad alone cuts off quiet voices and never ends in noise."""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from voice.media import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE

FRAME_BYTES = 2 * FRAME_SAMPLES
FLOOR_FRAMES = 150
FLOOR_SHARE = 10
LOWEST_KEPT = 32
"""Levels that are kept sorted, more than the floor is found among: sorting anew is seldom due."""
OVER_FLOOR = 10 ** (2.8 / 20)
LOWEST_GATE = 32768 * 10 ** (-62 / 20)
DIGITAL_SILENCE = 0.5
FAINT = 32768 * 10 ** (-75 / 20)
END_FRAMES = 14
ONSET_FRAMES = 15
WINDOW = 33
"""Samples whose mean is taken away from the one in their middle: a high-pass of linear phase at 200 Hz."""
_LESS_MEAN, _FRAME_SAMPLES = np.float32(-1 / WINDOW), np.float32(FRAME_SAMPLES)
_process = webrtcvad._webrtcvad.process
"""What Vad.is_speech() calls when it has looked at its arguments, which makes it a quarter dearer."""
NEVER = 1 << 60
SPEECH = frozenset(last for last in range(0x20) if last.bit_count() >= 3)
"""What the last 5 frames may be, a bit each, where it is speech."""


class SilenceDetector:
    """Tells when speech has been away for `timeout` seconds (None: never). Pure: fed with frames of 20 ms.

    A frame is active if the VAD (mode 0) says so and its level is above a gate: 2.8 dB over the noise floor,
    at least -62 dBFS. The floor is the 10th percentile of levels over the last 3 s. Levels are those above
    about 200 Hz, where mains hum and the rumble of cars hide no quiet voice. It is speech where at least 3
    of the last 5 frames are active. The end comes 0.28 s after the time-out; where at least 3 of the last 8
    frames are above the gate (somebody may be starting to speak) up to 0.3 s later.
    In the test set (bench/silence.py), from 10 dB above the noise on, this cuts nobody off and ends within the
    time-out + 0.35 s, in the voices of the prompts and in those of another synthesiser. With the prompts in another
    order it cut off 1 of 1,440: in white noise, a pause 0.1 s short of the time-out.
    """

    __slots__ = (
        "_active",
        "_heard",
        "_limit",
        "_loud",
        "_lowest",
        "_model",
        "_oldest",
        "_onsets",
        "_quiet",
        "_recent",
        "_speech",
        "_tail",
        "_timeout",
        "_volume",
        "levels",
    )

    def __init__(self, timeout: float | None) -> None:
        self._model = webrtcvad.Vad(0)._vad
        # Frames of a pause until its end; and of the pause that runs, which may have begun anew.
        self._timeout = NEVER if timeout is None else round(timeout / FRAME_SECONDS) + END_FRAMES
        self._limit = self._timeout
        self._tail = bytes(2 * WINDOW)
        # Levels of the last 3 s (a ring, `_oldest` is its first), 4 bytes each, and the lowest of them, sorted.
        self._recent = array("f")
        self._oldest = 0
        self._lowest: list[float] = []
        self._active = self._loud = self._quiet = self._speech = self._heard = 0
        self._volume = 0.0
        # Where speech began after a pause: frame, frames of the pause.
        self._onsets: list[tuple[int, int]] = []
        self.levels: list[float] = []
        """The RMS of each frame taken last, above about 200 Hz."""

    @property
    def speech_seconds(self) -> float:
        """How long there was speech, in seconds."""
        return self._speech * FRAME_SECONDS

    @property
    def snr(self) -> float:
        """The level of speech by that of the noise now (a ratio of RMS); 0 where there was no speech."""
        if not self._speech:
            return 0.0
        return self._volume / self._speech / max(self._lowest[len(self._recent) // FLOOR_SHARE], FAINT)

    def speech_before(self, frame: int) -> tuple[int, int]:
        """Of the frames before this one: how many are speech, and which comes after the last of them (0: none)."""
        spoken = last = 0
        ends = [start - pause for start, pause in self._onsets[1:]] + [self._heard - self._quiet]
        for (start, _), end in zip(self._onsets, ends, strict=False):
            if start < frame:
                last = min(end, frame)
                spoken += last - start
        return spoken, last

    @property
    def frames_left(self) -> int:
        """How many frames must follow, at least 1, before the end can be reached."""
        return max(1, self._limit - self._quiet)

    def begin_anew(self) -> None:
        """A pause that runs has as long to go as one that begins now; where speech was stays known."""
        self._limit = self._timeout + self._quiet

    def frames(self, pcm16: bytes) -> bool:
        """Take any number of whole frames of 160 samples; True where the end is reached within them."""
        # One loop with everything at hand: it runs 50 times a second for each call.
        lowest, recent, limit, model = self._lowest, self._recent, self._limit, self._model
        active, loud_ones, quiet, start, ended = self._active, self._loud, self._quiet, 0, False
        speech, volume, oldest = self._speech, self._volume, self._oldest
        count = len(recent)
        rank = count // FLOOR_SHARE
        self.levels = self._levels_of(pcm16)
        for level in self.levels:
            # The floor is the 10th percentile, this level included. What is kept sorted are the lowest of all, as many
            # as they are: most levels are above them when they come and when they go, and cost a comparison.
            if count < FLOOR_FRAMES:
                recent.append(level)
                count += 1
                rank = count // FLOOR_SHARE
            else:
                gone = recent[oldest]
                recent[oldest] = level
                oldest = oldest + 1 if oldest < FLOOR_FRAMES - 1 else 0
                if gone <= lowest[-1]:
                    del lowest[bisect_left(lowest, gone)]
            if len(lowest) <= rank:
                lowest[:] = sorted(recent)[:LOWEST_KEPT]
            elif level < lowest[-1]:
                insort(lowest, level)
                del lowest[LOWEST_KEPT:]
            gate = lowest[rank] * OVER_FLOOR
            loud = level > gate and level > LOWEST_GATE
            end = start + FRAME_BYTES
            # The VAD hears every frame that is not digital silence: it keeps a model of the noise.
            voiced = level > DIGITAL_SILENCE and _process(model, SAMPLE_RATE, pcm16[start:end], FRAME_SAMPLES)
            start = end
            active = (active << 1 | (loud and voiced)) & 0x1F
            loud_ones = (loud_ones << 1 | loud) & 0xFF
            if active in SPEECH:
                if quiet or not self._onsets:
                    self._onsets.append((self._heard + end // FRAME_BYTES - 1, quiet))
                    quiet, limit = 0, self._timeout
                speech += 1
                volume += level
                continue
            quiet += 1
            if quiet >= limit and (loud_ones.bit_count() < 3 or quiet >= limit + ONSET_FRAMES):
                ended = True
        self._active, self._loud, self._quiet, self._limit = active, loud_ones, quiet, limit
        self._speech, self._volume, self._oldest = speech, volume, oldest
        self._heard += len(self.levels)
        return ended

    def _levels_of(self, pcm16: bytes) -> list[float]:
        """The RMS of each frame behind the high-pass."""
        pcm16 = self._tail + pcm16
        self._tail = pcm16[-2 * WINDOW :]
        samples: NDArray[np.int16] = np.frombuffer(pcm16, "<i2")
        sums = samples.cumsum(dtype=np.int32)
        # Single precision is as exact as they are kept: a level must be found again among those of the last 3 s.
        high = (sums[WINDOW:] - sums[:-WINDOW]).astype(np.float32)
        high *= _LESS_MEAN
        high += samples[WINDOW - WINDOW // 2 : len(samples) - WINDOW // 2]
        high = high.reshape(-1, FRAME_SAMPLES)
        levels: list[float] = np.sqrt(np.einsum("ij,ij->i", high, high) / _FRAME_SAMPLES).tolist()
        return levels
