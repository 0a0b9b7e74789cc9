"""From an engine's samples to the telephone: 8 kHz, without the silence around them, at the level of the prompts."""

from __future__ import annotations

import numpy as np
import soxr

from voice.media import SAMPLE_RATE
from voice.synthesis.engine import Samples

LEVEL_DBFS, PEAK_DBFS = -20.0, -1.5
# Below it nothing was said at all.
SILENT = 10 ** (-60 / 20)
FRAME = SAMPLE_RATE // 50
QUIET_DB = -40.0
LEAD, TAIL = SAMPLE_RATE // 40, SAMPLE_RATE // 10
FADE = SAMPLE_RATE // 200


def for_telephone(samples: Samples) -> bytes:
    """16-bit samples at 8 kHz, active parts at -20 dBFS, peaks at most -1.5 dBFS; empty where there is only silence."""
    whole = np.frombuffer(samples.pcm16[: len(samples.pcm16) // 2 * 2], np.int16).astype(np.float32) / 32768
    if len(whole) < 2:
        return b""
    sound = soxr.resample(whole, samples.rate, SAMPLE_RATE) if samples.rate != SAMPLE_RATE else whole
    levels = _levels(sound)
    if levels.size == 0 or levels.max() < SILENT:
        return b""
    loud = np.where(levels > levels.max() * 10 ** (QUIET_DB / 20))[0]
    sound = sound[max(0, loud[0] * FRAME - LEAD) : (loud[-1] + 1) * FRAME + TAIL].copy()
    sound = _levelled(sound)
    fade = min(FADE, len(sound) // 2)
    sound[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    sound[len(sound) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return np.round(sound * 32767).astype(np.int16).tobytes()


def _levels(sound: np.ndarray) -> np.ndarray:
    """RMS of each 20 ms."""
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    levels: np.ndarray = np.sqrt((frames**2).mean(axis=1))
    return levels


def _levelled(sound: np.ndarray) -> np.ndarray:
    """At the level of the prompts. What is above the knee is bent, not clipped, and the level is given back."""
    limit = 10 ** (PEAK_DBFS / 20)
    knee = limit * 0.7
    for _ in range(3):
        power = _levels(sound) ** 2
        active = power[power > power.max() * 1e-3]
        sound = sound * np.float32(10 ** (LEVEL_DBFS / 20) / np.sqrt(active.mean()))
        size = np.abs(sound)
        bent = knee + (limit - knee) * np.tanh((size - knee) / (limit - knee))
        sound = np.where(size > knee, np.sign(sound) * bent, sound)
    return sound
