"""Recordings, which are kept as G.711, in other formats: for programs, people and their mail."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import soundfile

from app.storage import AudioSource

BLOCK_FRAMES = 65536
# Another encoder makes other bytes, which caches must not take for the same.
ENCODER = f"mp3-{soundfile.__libsndfile_version__}"


def as_mp3(source: AudioSource) -> AudioSource:
    """Encode a WAV source into memory: about 120 kB a minute. Raises soundfile.LibsndfileError for what is no audio."""
    content = _encoded(source, format="MP3")
    tag = hashlib.sha256(f"{source.sha256}-{ENCODER}".encode()).hexdigest()
    return AudioSource(len(content), tag, lambda start, end: iter((content[start:end],)))


def as_pcm_wav(source: AudioSource) -> bytes:
    """A WAV source as 16-bit PCM, which every player plays: 960 kB a minute. soundfile.LibsndfileError as above."""
    return _encoded(source, format="WAV", subtype="PCM_16")


def _encoded(source: AudioSource, **options: str) -> bytes:
    made = io.BytesIO()
    with _opened(source) as sound:
        options_of_sound = {"samplerate": sound.samplerate, "channels": sound.channels}
        with soundfile.SoundFile(made, "w", **options_of_sound, **options) as encoded:
            for frames in sound.blocks(BLOCK_FRAMES, dtype="float32"):
                encoded.write(frames)
    return made.getvalue()


@contextmanager
def _opened(source: AudioSource) -> Iterator[soundfile.SoundFile]:
    with tempfile.TemporaryFile() as wav:
        for block in source.blocks():
            wav.write(block)
        wav.seek(0)
        with soundfile.SoundFile(wav) as sound:
            yield sound
