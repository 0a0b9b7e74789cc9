"""Audio files as people upload them, good and bad."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

Samples = npt.NDArray[Any]


def tone(seconds: float = 1.0, rate: int = 8000, level_dbfs: float = -12.0, channels: int = 1) -> Samples:
    """A sine of 440 Hz whose RMS level is as asked."""
    t = np.arange(int(seconds * rate)) / rate
    wave = np.sin(2 * np.pi * 440 * t) * 10 ** (level_dbfs / 20) * np.sqrt(2)
    return np.repeat(wave[:, None], channels, axis=1) if channels > 1 else wave


def encoded(samples: Samples, rate: int = 8000, subtype: str = "PCM_16", format: str = "WAV") -> io.BytesIO:
    """The samples as a file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=format)
    file.seek(0)
    return file


def endless(hours: float) -> io.BytesIO:
    """A small FLAC file of silence that lasts for hours."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 8000, 1, "PCM_16", format="FLAC") as out:
        minute = np.zeros(8000 * 60, np.int16)
        for _ in range(int(hours * 60)):
            out.write(minute)
    file.seek(0)
    return file


def lying(frames: int) -> io.BytesIO:
    """A WAV file whose header says that more follows than does."""
    good = bytearray(encoded(tone()).getvalue())
    good[4:8] = good[40:44] = struct.pack("<I", min(frames * 2, 0xFFFFFFFF))
    return io.BytesIO(bytes(good))


def level_of(path_or_bytes: Path | bytes) -> float:
    """RMS level of a file in dBFS."""
    source = io.BytesIO(path_or_bytes) if isinstance(path_or_bytes, bytes) else path_or_bytes
    samples, _ = soundfile.read(source, dtype="float64")
    return float(10 * np.log10((samples**2).mean()))
