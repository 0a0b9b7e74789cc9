"""Audio files of any kind as samples of the telephone. A leaf: portal and voice side both read files of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import soxr

TELEPHONE_HZ = 8000
BLOCK_SECONDS = 1.0
MOST_CHANNELS = 8
UNREADABLE = "This is not an audio file that can be read. WAV, MP3, Ogg and FLAC can."
# Files without a header, which hold 8 kHz, mono: libsndfile's names of them.
RAW = {"ulaw": "ULAW", "alaw": "ALAW", "gsm": "GSM610"}


class Unreadable(ValueError):
    """No audio, or none that can be used; str() is a sentence for people."""


class TooLong(ValueError):
    """More than may be; str() is a sentence for people."""


def decode(source: Path, longest_seconds: float, raw: str = "") -> np.ndarray:
    """The file as float samples at 8 kHz, its channels mixed; it is read in blocks, so that its size costs nothing.

    raw: a key of RAW where the file has no header that says what it is. Raises Unreadable, and TooLong.
    """
    known = {"format": "RAW", "subtype": RAW[raw], "samplerate": TELEPHONE_HZ, "channels": 1} if raw else {}
    try:
        with soundfile.SoundFile(source, **known) as file:
            _judge(file, longest_seconds)
            resampler = soxr.ResampleStream(file.samplerate, TELEPHONE_HZ, 1, dtype="float32")
            parts, size = [], 0
            # Not file.blocks(): some kinds (GSM) cannot be sought in.
            frames = int(file.samplerate * BLOCK_SECONDS)
            while len(block := file.read(frames, dtype="float32", always_2d=True)):
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
    samples = np.concatenate(parts)
    if not np.isfinite(samples).all():
        raise Unreadable("The file is damaged: it holds values that are no sound.")
    return samples


def _judge(file: soundfile.SoundFile, longest_seconds: float) -> None:
    if file.frames == 0:
        raise Unreadable("The file holds no audio.")
    if file.channels > MOST_CHANNELS:
        raise Unreadable(f"The file has {file.channels} channels; at most {MOST_CHANNELS} can be read.")
    if file.samplerate < 4000 or file.samplerate > 768_000:
        raise Unreadable(f"A sample rate of {file.samplerate} Hz cannot be read.")
    if 0 < file.frames < 2**62 and file.frames / file.samplerate > longest_seconds:
        raise TooLong
