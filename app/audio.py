"""Audio files that people upload, made fit for the telephone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from app.decoding import TELEPHONE_HZ, TooLong, Unreadable, decode

SHORTEST_SECONDS = 0.3
LEVEL_DBFS = -20.0
PEAK_DBFS = -1.5
MOST_GAIN_DB = 20.0
SILENT_DBFS = -55.0


def to_telephone(source: Path, target: Path, longest_seconds: float, what: str = "A greeting") -> float:
    """Decode a file of any kind and write it as 8 kHz, 16-bit, mono WAV at -20 dBFS; its length in seconds.

    Any sample rate, width and number of channels will do. Raises Unreadable, and TooLong in words about `what` it is.
    """
    try:
        samples = decode(source, longest_seconds)
    except TooLong:
        raise TooLong(f"{what} has at most {longest_seconds:.0f} seconds; this file is longer.") from None
    seconds = len(samples) / TELEPHONE_HZ
    if seconds < SHORTEST_SECONDS:
        raise Unreadable("The file holds no audio to speak of.")
    soundfile.write(target, _levelled(samples), TELEPHONE_HZ, subtype="PCM_16", format="WAV")
    return seconds


def _levelled(samples: np.ndarray) -> np.ndarray:
    """The usual level of prompts, without clipping."""
    frame = TELEPHONE_HZ // 50
    # Floats may be of any size; their squares must not overflow.
    samples = samples / np.float32(max(float(np.abs(samples).max()), 1.0))
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
    power = (whole**2).mean(axis=1)
    active = power[power > power.max() * 1e-3]
    level = 10 * np.log10(max(float(active.mean()) if active.size else 0.0, 1e-12))
    if level < SILENT_DBFS:
        raise Unreadable("The file holds only silence.")
    peak = 20 * np.log10(max(float(np.abs(samples).max()), 1e-6))
    gain = min(LEVEL_DBFS - level, PEAK_DBFS - peak, MOST_GAIN_DB)
    return samples * np.float32(10 ** (gain / 20))
