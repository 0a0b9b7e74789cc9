"""Signals of the test set, made from a fixed seed: speech of the built-in prompts, noises, music, tones of the network.

All are float samples at 8 kHz, at 0 dBFS RMS while they sound; scaled() brings them to a level.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from voice.media import FRAME_SAMPLES, SAMPLE_RATE, g711, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

Samples = NDArray[np.float64]
FULL = 32768.0
LANGUAGES = ("en", "es", "fr", "ja", "zh")
SENTENCES = ("test_message", "not_available", "nothing_recorded", "goodbye", "message_too_long")
NOISES = ("none", "white", "pink", "hum50", "hum60", "babble", "music")
NOISE_SECONDS = 40
SPEAKERS = 8

TONES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "us dial": ((350, 440), ()),
    "us busy": ((480, 620), (0.5, 0.5)),
    "us reorder": ((480, 620), (0.25, 0.25)),
    "uk dial": ((350, 450), ()),
    "uk busy": ((400,), (0.375, 0.375)),
    "uk congestion": ((400,), (0.4, 0.35, 0.225, 0.525)),
    "uk no such number": ((400,), ()),
    "cn dial": ((450,), ()),
    "cn busy": ((450,), (0.35, 0.35)),
    "cn congestion": ((450,), (0.7, 0.7)),
    "jp dial": ((400,), ()),
    "jp busy": ((400,), (0.5, 0.5)),
    "mx dial": ((425,), ()),
    "mx busy": ((425,), (0.25, 0.25)),
    "es busy": ((425,), (0.2, 0.2)),
    "es congestion": ((425,), (0.2, 0.2, 0.2, 0.2, 0.2, 0.6)),
    "fr dial": ((440,), ()),
    "fr two-tone dial": ((330, 440), ()),
    "fr busy": ((440,), (0.5, 0.5)),
    "fr congestion": ((440,), (0.25, 0.25)),
    "de busy": ((425,), (0.48, 0.48)),
    "de congestion": ((425,), (0.24, 0.24)),
}
"""Frequencies in Hz; seconds on and off in turn, none where it is steady. ITU-T E.180 supplement 2."""
INFORMATION = {
    "sit": ((950, 1400, 1800), (0.33, 0.33, 0.33)),
    "us sit": ((913.8, 1370.6, 1776.7), (0.38, 0.276, 0.38)),
}
RINGING: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "us ringing": ((440, 480), (2.0, 4.0)),
    "uk ringing": ((400, 450), (0.4, 0.2, 0.4, 2.0)),
    "eu ringing": ((425,), (1.0, 4.0)),
    "fr ringing": ((440,), (1.5, 3.5)),
    "cn ringing": ((450,), (1.0, 4.0)),
}


def scaled(samples: Samples, level: float) -> Samples:
    """At `level` dBFS RMS."""
    return samples * 10 ** (level / 20)


def as_sent(samples: Samples, law: Law) -> bytes:
    """As G.711, whole frames."""
    whole = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES]
    return g711.encode(np.clip(whole, -FULL, FULL - 1).astype("<i2").tobytes(), law)


def prompt(path: object) -> Samples:
    """A prompt of `sounds/` as it is."""
    return np.frombuffer(wav.read_prompt(path), "<i2").astype(float)  # type: ignore[arg-type]


@cache
def speech(name: str, language: str) -> Samples:
    """A prompt from its first to its last sound."""
    return spoken(prompt(BUILT_IN / language / f"{name}.wav"))


def spoken(samples: Samples) -> Samples:
    """From the first to the last sound, at 0 dBFS while somebody speaks."""
    short = _levels(samples, 80)
    heard = np.nonzero(short > 0.02 * short.max())[0]
    samples = samples[heard[0] * 80 : (heard[-1] + 1) * 80]
    levels = _levels(samples, FRAME_SAMPLES)
    return samples * FULL / _rms(levels[levels > 0.05 * levels.max()])


@cache
def noise(kind: str) -> Samples:
    """40 s of one of NOISES."""
    count, rng = NOISE_SECONDS * SAMPLE_RATE, np.random.default_rng(7)
    if kind == "none":
        return np.zeros(count)
    if kind == "babble":
        samples = _babble(count, rng)
    elif kind == "music":
        samples = melody(NOISE_SECONDS, rng, chords=True)[:count]
    elif kind.startswith("hum"):
        phases = 2 * np.pi * int(kind.removeprefix("hum")) * np.arange(count) / SAMPLE_RATE
        samples = np.sin(phases) + 0.5 * np.sin(2 * phases + 1) + 0.33 * np.sin(3 * phases + 2)
    else:
        samples = rng.standard_normal(count)
        if kind == "pink":
            spectrum = np.fft.rfft(samples)
            spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
            samples = np.fft.irfft(spectrum, count)
    return samples * FULL / _rms(samples)


def tone(name: str, seconds: float, skip: float = 0.0) -> Samples:
    """A tone of the network from `skip` seconds after the begin of its cadence on."""
    if name in INFORMATION:
        parts = [_sines((hertz,), length) for hertz, length in zip(*INFORMATION[name], strict=True)]
        return np.concatenate([*parts, np.zeros(SAMPLE_RATE)])
    frequencies, cadence = TONES[name] if name in TONES else RINGING[name]
    samples = _sines(frequencies, seconds)
    if cadence:
        place = (np.arange(len(samples)) / SAMPLE_RATE + skip) % sum(cadence)
        samples = samples * (np.searchsorted(np.cumsum(cadence), place, side="right") % 2 == 0)
    return samples


def vowel(hertz: float, seconds: float, formants: tuple[float, ...], rng: np.random.Generator) -> Samples:
    """A vowel that is held as steadily as trained voices can: a slow drift, a tremor, jitter from cycle to cycle."""
    count = int(seconds * SAMPLE_RATE)
    time = np.arange(count) / SAMPLE_RATE
    drift = np.cumsum(rng.standard_normal(count)) / np.sqrt(np.arange(1, count + 1))
    cycles = rng.standard_normal(int(seconds * hertz) + 2)[(time * hertz).astype(int)]
    wander = 0.003 * drift + 0.003 * np.sin(2 * np.pi * 5 * time) + 0.005 * cycles
    phases = 2 * np.pi * np.cumsum(hertz * (1 + wander)) / SAMPLE_RATE
    samples = np.zeros(count)
    for number in range(1, int(3600 / hertz) + 1):
        gain = sum(1 / (1 + ((number * hertz - formant) / 90) ** 2) for formant in formants) + 0.002
        samples += gain * np.sin(number * phases)
    return samples * FULL / _rms(samples)


def melody(seconds: float, rng: np.random.Generator, *, chords: bool, harmonics: int = 6) -> Samples:
    """Notes of 0.2 to 1 s with harmonics, one or three at a time."""
    parts: list[Samples] = []
    total = 0.0
    while total < seconds:
        length = float(rng.choice([0.2, 0.25, 0.4, 0.5, 1.0]))
        root = 220 * 2 ** (int(rng.integers(0, 24)) / 12)
        notes = [root, root * 2 ** (4 / 12), root * 2 ** (7 / 12)] if chords else [root]
        decay = np.exp(-np.arange(int(length * SAMPLE_RATE)) / SAMPLE_RATE / 0.8)
        parts.append(sum(_note(hertz, length, harmonics) for hertz in notes) * decay)
        if rng.random() < 0.3:
            parts.append(np.zeros(int(length * SAMPLE_RATE)))
            total += length
        total += length
    samples = np.concatenate(parts)
    return samples * FULL / _rms(samples)


def _note(hertz: float, seconds: float, harmonics: int) -> Samples:
    phases = 2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wanted = [number for number in range(1, harmonics + 1) if number * hertz < 3800]
    return np.sum([np.sin(number * phases) / number for number in wanted], axis=0)


def _sines(frequencies: tuple[float, ...], seconds: float) -> Samples:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (
        np.sum([np.sin(2 * np.pi * hertz * time) for hertz in frequencies], axis=0)
        * FULL
        * np.sqrt(2 / len(frequencies))
    )


def _babble(count: int, rng: np.random.Generator) -> Samples:
    """Several people at once, none of whom can be understood."""
    samples = np.zeros(count)
    for _ in range(SPEAKERS):
        said: list[Samples] = []
        while sum(map(len, said)) < count + SAMPLE_RATE:
            said.append(speech(str(rng.choice(SENTENCES)), str(rng.choice(LANGUAGES))))
        start = int(rng.integers(0, SAMPLE_RATE))
        samples += np.concatenate(said)[start : start + count]
    return samples


def _levels(samples: Samples, size: int) -> Samples:
    return np.sqrt((samples[: len(samples) // size * size].reshape(-1, size) ** 2).mean(axis=1))


def _rms(samples: Samples) -> float:
    return float(np.sqrt((samples**2).mean()))
