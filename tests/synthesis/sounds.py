"""What a sound of speech is like."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from voice.media.g711 import Law, encode
from voice.prompts import payload_path
from voice.twiml.errands import Sound


def samples_of(path: Path) -> np.ndarray:
    with wave.open(str(path)) as sound:
        assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (8000, 2, 1)
        return np.frombuffer(sound.readframes(sound.getnframes()), np.int16)


def level_of(samples: np.ndarray) -> float:
    """dBFS of what is not silence."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160) / 32768
    power = (frames**2).mean(axis=1)
    return float(10 * np.log10(power[power > power.max() * 1e-3].mean()))


def is_fit(sound: Sound) -> np.ndarray:
    """Its samples, once it has the level of prompts, its length, and a payload of each law."""
    samples = samples_of(sound.path)
    assert abs(level_of(samples) + 20) < 0.5
    assert np.abs(samples.astype(int)).max() <= 32768 * 10 ** (-1.5 / 20)
    assert sound.seconds == len(samples) / 8000
    for law in Law:
        assert payload_path(sound.path, law).read_bytes() == encode(samples.tobytes(), law)
    return samples
