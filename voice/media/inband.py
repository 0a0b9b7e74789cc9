"""Keys as tones in the audio (ITU-T Q.23, Q.24), for phones that send no telephone events."""

from __future__ import annotations

import audioop
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voice.media import SAMPLE_RATE
from voice.media.g711 import Law, decode

if TYPE_CHECKING:
    from voice.media.receiver import Sink

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
GRID = ("123A", "456B", "789C", "*0#D")
WINDOW, HOP = 160, 40
"""Samples that are looked at together, and how far apart two looks are: 20 ms and 5 ms."""
HITS = 4
"""Looks in a row that must find the same key: a tone of 40 ms has them wherever it begins."""
MISSES = 7
"""Looks in a row without it, after which the same key may come again: in a pause of 40 ms, not in one lost packet."""
BATCH_SAMPLES = 1280
"""Samples that are heard together: 160 ms, since each hearing has its price."""
QUIETEST = 32768 * 10 ** (-42 / 20)
"""The smallest amplitude of either tone."""
PURITY, SUSPECT = 0.85, 0.45
"""Least share of the two tones in all that is heard; and of what is found at their nominal frequencies alone."""
BESIDE = 0.012
"""How far beside its nominal frequency a tone is looked for as well."""
TWIST = 10 ** (10 / 10)
"""Largest ratio of the powers of the two tones."""
ALONE = 10 ** (4 / 10)
"""Least ratio of a tone's power to that at the next frequency of its group."""

_SHAPE = np.hamming(WINDOW)


def _waves(factor: float) -> NDArray[np.float32]:
    """What a window is multiplied with to find the amplitudes, two parts each, of the eight tones times a factor."""
    turns = np.outer(np.arange(WINDOW), LOW_HZ + HIGH_HZ) * (factor / SAMPLE_RATE)
    waves = (_SHAPE / (_SHAPE.sum() / 2))[:, None] * np.exp(-2j * np.pi * turns)
    return np.hstack((waves.real, waves.imag)).astype(np.float32)


_NOMINAL, _BESIDE = _waves(1), (_waves(1 - BESIDE), _waves(1 + BESIDE))
_MEAN = (_SHAPE / _SHAPE.sum()).astype(np.float32)
_NO_KEY = -1


class KeyTones:
    """Finds the keys in audio. Pure: fed with 16-bit samples, in pieces of any length.

    Takes tones of 40 ms with pauses of 40 ms, 1.5 % beside their frequency, of -3 to -30 dBFS, in noise 15 dB below.
    """

    __slots__ = ("_holes", "_key", "_misses", "_rest", "_run", "_run_key")

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._holes: list[tuple[int, int]] = []
        self._key = self._run_key = _NO_KEY
        self._run = self._misses = 0

    @property
    def sounding(self) -> str | None:
        """The key whose tone was heard last and has not ended."""
        return None if self._key == _NO_KEY else GRID[self._key // 4][self._key % 4]

    def hear(self, pcm16: bytes, holes: list[tuple[int, int]]) -> str:
        """The keys that begin in what comes next. holes: where packets were lost in it (start, end), in samples."""
        size = len(self._rest)
        sound = np.concatenate((self._rest, np.frombuffer(pcm16, "<i2").astype(np.float32)))
        count = max(0, (len(sound) - WINDOW) // HOP + 1)
        self._rest = sound[count * HOP :].copy()
        holes = self._holes + [(start + size, end + size) for start, end in holes]
        self._holes = [(start - count * HOP, end - count * HOP) for start, end in holes if end > count * HOP]
        if not count:
            return ""
        found = _keys_in(sliding_window_view(sound, WINDOW)[::HOP])
        if found is None and self._key == _NO_KEY:
            self._run = 0
            return ""
        return "".join(
            self._look(_NO_KEY if found is None else found[place], _torn(place * HOP, holes)) for place in range(count)
        )

    def pause(self) -> None:
        """What comes next does not follow what was heard last."""
        self._rest, self._holes, self._run = self._rest[:0], [], 0

    def _look(self, key: int, torn: bool) -> str:
        if key == _NO_KEY and torn:
            return ""
        self._run = self._run + 1 if key == self._run_key else 1
        self._run_key = key
        if key == self._key:
            self._misses = 0
            return ""
        self._misses += 1
        if key != _NO_KEY and self._run >= HITS:
            self._key, self._misses = key, 0
            return GRID[key // 4][key % 4]
        if self._misses >= MISSES:
            self._key = _NO_KEY
        return ""


class KeyTonesSink:
    """Stands before a recorder, or in place of one, and tells the keys that are heard: on_key(key), once each.

    on_held(key) is called as long as the key's tone goes on.
    """

    __slots__ = ("_holes", "_law", "_new", "_on_held", "_on_key", "_size", "_tones", "sink")

    def __init__(self, law: Law, on_key: Callable[[str], None], on_held: Callable[[str], None]) -> None:
        self.sink: Sink | None = None
        self._law = law
        self._on_key, self._on_held = on_key, on_held
        self._tones = KeyTones()
        self._new: list[bytes] = []
        self._holes: list[tuple[int, int]] = []
        self._size = 0

    @property
    def is_patient(self) -> bool:
        """Never: a key may have begun."""
        return False

    @property
    def due(self) -> int:
        """How many samples may come before it, or the sink behind it, is to have them."""
        due = max(1, BATCH_SAMPLES - self._size)
        return due if self.sink is None else min(due, self.sink.due)

    def frame(self, payload: bytes) -> None:
        """Take a payload of any length."""
        self._new.append(payload)
        self._size += len(payload)
        if self._size >= BATCH_SAMPLES:
            self._hear()
        if self.sink is not None:
            self.sink.frame(payload)

    def lost(self, samples: int) -> None:
        """The next so many samples stand for lost packets: no key ends in them."""
        self._holes.append((self._size, self._size + samples))
        if self.sink is not None:
            self.sink.lost(samples)

    def interrupted(self) -> None:
        """A key that came before the hold is told now, and none goes on behind it."""
        if self._new:
            self._hear()
        self._tones.pause()
        if self.sink is not None:
            self.sink.interrupted()

    def _hear(self) -> None:
        held = self._tones.sounding
        pcm16 = decode(b"".join(self._new), self._law)
        holes, self._holes, self._size = self._holes, [], 0
        self._new.clear()
        if held is None and audioop.max(pcm16, 2) < QUIETEST:
            self._tones.pause()
            return
        keys = self._tones.hear(pcm16, holes)
        if held is not None:
            self._on_held(held)
        for key in keys:
            self._on_key(key)


def _keys_in(windows: NDArray[np.float32]) -> list[int] | None:
    """For each window the key in it, 0 to 15, or -1; None where there is none in any."""
    powers = _powers(windows, _NOMINAL)
    # The power of two tones is half the sum of their squared amplitudes.
    heard = 2 * (np.square(windows) @ _MEAN)
    is_key = powers[:, :4].max(axis=1) + powers[:, 4:].max(axis=1) > SUSPECT * heard
    if not is_key.any():
        return None
    low, high = np.sort(powers[:, :4], axis=1), np.sort(powers[:, 4:], axis=1)
    is_key &= (np.minimum(low[:, 3], high[:, 3]) > QUIETEST**2) & (low[:, 3] > ALONE * low[:, 2])
    is_key &= high[:, 3] > ALONE * high[:, 2]
    for waves in _BESIDE:
        powers = np.maximum(powers, _powers(windows, waves))
    lower, higher = powers[:, :4].max(axis=1), powers[:, 4:].max(axis=1)
    is_key &= (lower + higher > PURITY * heard) & (lower < TWIST * higher) & (higher < TWIST * lower)
    keys = 4 * np.argmax(powers[:, :4], axis=1) + np.argmax(powers[:, 4:], axis=1)
    found: list[int] = np.where(is_key, keys, _NO_KEY).tolist()
    return found


def _powers(windows: NDArray[np.float32], waves: NDArray[np.float32]) -> NDArray[np.float32]:
    parts = np.square(windows @ waves)
    powers: NDArray[np.float32] = parts[:, :8] + parts[:, 8:]
    return powers


def _torn(start: int, holes: list[tuple[int, int]]) -> bool:
    return any(begin < start + WINDOW and start < end for begin, end in holes)
