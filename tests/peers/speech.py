"""Sounds for callers: something that a speech detector takes for speech, and comparisons of what came through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voice.media import FRAME_SAMPLES, SAMPLE_RATE
from voice.media.g711 import Law, decode, encode

SYLLABLES_PER_SECOND = 4
PITCH_HZ = 120
LEVEL = 5000


def speech_pcm(seconds: float, seed: int = 1) -> bytes:
    """16-bit samples: voiced syllables of changing pitch and vowel, with short pauses as between words.

    No second of it is like another, so that a part of it is found again at one place only.
    """
    chance = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE / FRAME_SAMPLES) * FRAME_SAMPLES
    time = np.arange(count) / SAMPLE_RATE
    syllable = (time * SYLLABLES_PER_SECOND).astype(int)
    pitch = PITCH_HZ * (0.8 + 0.5 * chance.random(syllable[-1] + 1))[syllable]
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    vowel = (300 + 500 * chance.random(syllable[-1] + 1))[syllable]
    tones = [np.sin(n * phase) * np.exp(-(((n * pitch - vowel) / 250) ** 2)) for n in range(1, 20)]
    envelope = np.clip(1.3 * np.sin(np.pi * ((time * SYLLABLES_PER_SECOND) % 1)), 0, 1)
    sound = LEVEL * envelope * (np.sum(tones, axis=0) + 0.03 * chance.standard_normal(count))
    return bytes(np.clip(sound, -30000, 30000).astype("<i2").tobytes())


def speech(seconds: float, seed: int = 1, law: Law = Law.PCMU) -> bytes:
    """The same as a G.711 payload of whole frames."""
    return encode(speech_pcm(seconds, seed), law)


def samples(payload: bytes, law: Law = Law.PCMU) -> NDArray[np.float64]:
    """A payload as numbers."""
    return np.frombuffer(decode(payload, law), "<i2").astype(np.float64)


def likeness(heard: NDArray[np.float64], known: NDArray[np.float64]) -> float:
    """How much of `known` is in `heard`, wherever it stands: the best normalised correlation, 0 to 1."""
    alike = _alike(heard, known)
    return float(np.max(alike)) if len(alike) else 0.0


def place_of(heard: NDArray[np.float64], known: NDArray[np.float64]) -> int:
    """Where in `heard` the sound that is most like `known` begins, in samples."""
    return int(np.argmax(_alike(heard, known)))


def _alike(heard: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """The normalised correlation for each place at which `known` may begin."""
    size = len(heard) + len(known)
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(known, size)), size)
    total = np.concatenate(([0.0], np.cumsum(heard**2)))
    places = max(0, len(heard) - len(known) + 1)
    energy = (total[len(known) :] - total[:places]) * np.sum(known**2) if places else np.zeros(0)
    alike: NDArray[np.float64] = product[:places] / np.sqrt(np.maximum(energy, 1.0))
    return alike


def loudest_hertz(sound: NDArray[np.float64], rate: int = SAMPLE_RATE) -> float:
    """The frequency with most energy."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum) * rate / len(sound))
