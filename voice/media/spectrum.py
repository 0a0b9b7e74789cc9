"""Which one or two pure tones is a short stretch of audio made of, if it is made of nothing else?"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from voice.media import SAMPLE_RATE

SIZE = 1024
HERTZ_A_BIN = SAMPLE_RATE / SIZE
LOWEST_BIN = round(250 / HERTZ_A_BIN)
"""Mains hum lies below and is not looked at."""
BESIDE = 4
"""Bins to each side that belong to a tone: the main lobe of the window."""
SHARE = 0.95
"""Of the power above 250 Hz, that of the tones; noise 20 dB below them leaves 0.99."""
OVERTONE = 0.003
"""Of that power, what a pure tone has less than at half, twice and three times its frequency; a voice has more."""
LEAST_PEAK = 0.12
"""Of that power, what the strongest bin has at least where there are one or two tones."""
SECOND = 0.05
"""Of the power of the stronger of two tones, the least that the other has."""

Line = tuple[float, float]
"""One tone or two, in Hz, the lower first; (f, 0) where it is one."""


def line_of(pcm16: bytes) -> Line | None:
    """The tones of up to 1024 samples, to about 1 Hz; None where there is more in it than one or two."""
    samples = np.frombuffer(pcm16, "<i2")
    spectrum = np.fft.rfft(samples * _window(len(samples)), SIZE)
    power = spectrum.real**2 + spectrum.imag**2
    low = power[:LOWEST_BIN].copy()
    power[:LOWEST_BIN] = 0.0
    whole = float(np.add.reduce(power))
    if float(power[power.argmax()]) <= LEAST_PEAK * whole:
        return None
    first, first_power = _take_strongest(power)
    if first_power >= SHARE * whole:
        power[:LOWEST_BIN] = low
        overtones = max(_around(power, first * factor) for factor in (0.5, 2, 3))
        return (first, 0.0) if overtones < OVERTONE * whole else None
    second, second_power = _take_strongest(power)
    if first_power + second_power < SHARE * whole or second_power < SECOND * first_power:
        return None
    return (min(first, second), max(first, second))


def _take_strongest(power: NDArray[np.float64]) -> tuple[float, float]:
    """Frequency and power of the strongest tone; it is taken out."""
    middle = int(power.argmax())
    low, high = max(middle - BESIDE, 0), middle + BESIDE + 1
    hertz = middle * HERTZ_A_BIN
    if 0 < middle < len(power) - 1:
        # The peak of a parabola through the three strongest bins, in logarithms.
        before, at, after = (math.log(max(float(power[middle + step]), 1e-9)) for step in (-1, 0, 1))
        bend = before - 2 * at + after
        if bend:
            hertz += 0.5 * (before - after) / bend * HERTZ_A_BIN
    found = float(np.add.reduce(power[low:high]))
    power[low:high] = 0.0
    return hertz, found


def _around(power: NDArray[np.float64], hertz: float) -> float:
    middle = round(hertz / HERTZ_A_BIN)
    return float(np.add.reduce(power[middle - 2 : middle + 3]))


@cache
def _window(size: int) -> NDArray[np.float64]:
    return np.hanning(size)
