"""Keys as phones without telephone events send them: two tones at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voice.media import g711
from voice.media.g711 import Law
from voice.media.inband import GRID, HIGH_HZ, LOW_HZ

ALL = "".join(GRID)
FULL_SCALE = 32768.0


def tones(
    keys: str,
    *,
    on: float = 0.04,
    off: float = 0.04,
    level: float = -10,
    noise: float | None = None,
    twist: float = 0,
    detuned: tuple[float, float] = (0, 0),
    seed: int = 1,
) -> NDArray[np.float64]:
    """16-bit samples. on, off: seconds; level: dBFS of the two together; noise: dB below them; twist: dB by which the
    higher tone is stronger; detuned: share by which each is beside its frequency."""
    chance = np.random.default_rng(seed)
    time = np.arange(round(on * 8000)) / 8000
    power = 10 ** (level / 10) * FULL_SCALE**2
    ratio = 10 ** (twist / 10)
    parts = [np.zeros(800 + int(chance.integers(0, 160)))]
    for key in keys:
        place = ALL.index(key)
        low, high = LOW_HZ[place // 4] * (1 + detuned[0]), HIGH_HZ[place % 4] * (1 + detuned[1])
        phases = chance.uniform(0, 2 * np.pi, 2)
        parts.append(
            np.sqrt(power / (1 + ratio)) * np.sin(2 * np.pi * low * time + phases[0])
            + np.sqrt(power * ratio / (1 + ratio)) * np.sin(2 * np.pi * high * time + phases[1])
        )
        parts.append(np.zeros(round(off * 8000)))
    sound = np.concatenate([*parts, np.zeros(1600)])
    if noise is not None:
        sound += chance.standard_normal(len(sound)) * np.sqrt(power / 2 / 10 ** (noise / 10))
    return np.clip(sound, -32768, 32767)


def payload(sound: NDArray[np.float64], law: Law = Law.PCMU) -> bytes:
    """As G.711, in whole frames of 20 ms."""
    return g711.encode(sound[: len(sound) // 160 * 160].astype("<i2").tobytes(), law)
