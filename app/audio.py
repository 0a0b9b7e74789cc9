"""Audio files that people upload, made fit for the telephone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

TELEPHONE_HZ = 8000
SHORTEST_SECONDS = 0.3
BLOCK_SECONDS = 1.0
MOST_CHANNELS = 8
LEVEL_DBFS = -20.0
PEAK_DBFS = -1.5
MOST_GAIN_DB = 20.0
SILENT_DBFS = -55.0
UNREADABLE = "This is not an audio file that can be read. WAV, MP3, Ogg and FLAC can."


class Unreadable(ValueError):
    """No audio, or none that can be used; str() is a sentence for people."""


class TooLong(ValueError):
    """More than may be; str() is a sentence for people."""


def to_telephone(source: Path, target: Path, longest_seconds: float, what: str = "A greeting") -> float:
    """Decode a file of any kind and write it as 8 kHz, 16-bit, mono WAV at -20 dBFS; its length in seconds.

    Any sample rate, width and number of channels will do. Raises Unreadable, and TooLong in words about `what` it is.
    """
    try:
        samples = _decode(source, longest_seconds)
    except TooLong:
        raise TooLong(f"{what} has at most {longest_seconds:.0f} seconds; this file is longer.") from None
    seconds = len(samples) / TELEPHONE_HZ
    if seconds < SHORTEST_SECONDS:
        raise Unreadable("The file holds no audio to speak of.")
    if not np.isfinite(samples).all():
        raise Unreadable("The file is damaged: it holds values that are no sound.")
    soundfile.write(target, _levelled(samples), TELEPHONE_HZ, subtype="PCM_16", format="WAV")
    return seconds


def _decode(source: Path, longest_seconds: float) -> np.ndarray:
    """The file as float samples at 8 kHz, its channels mixed; it is read in blocks, so that its size costs nothing."""
    try:
        with soundfile.SoundFile(source) as file:
            _judge(file, longest_seconds)
            resampler = soxr.ResampleStream(file.samplerate, TELEPHONE_HZ, 1, dtype="float32")
            parts, size = [], 0
            for block in file.blocks(int(file.samplerate * BLOCK_SECONDS), dtype="float32", always_2d=True):
                with np.errstate(over="ignore", invalid="ignore"):
                    mixed = block.mean(axis=1)
                part = resampler.resample_chunk(mixed)
                size += len(part)
                if size > longest_seconds * TELEPHONE_HZ:
                    raise TooLong
                parts.append(part)
            parts.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
    except (soundfile.LibsndfileError, RuntimeError, OSError) as error:
        raise Unreadable(UNREADABLE) from error
    return np.concatenate(parts)


def _judge(file: soundfile.SoundFile, longest_seconds: float) -> None:
    if file.frames == 0:
        raise Unreadable("The file holds no audio.")
    if file.channels > MOST_CHANNELS:
        raise Unreadable(f"The file has {file.channels} channels; at most {MOST_CHANNELS} can be read.")
    if file.samplerate < 4000 or file.samplerate > 768_000:
        raise Unreadable(f"A sample rate of {file.samplerate} Hz cannot be read.")
    if 0 < file.frames < 2**62 and file.frames / file.samplerate > longest_seconds:
        raise TooLong


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
