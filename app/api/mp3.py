"""A recording as MP3, for programs and people that want small files."""

from __future__ import annotations

import hashlib
import io
import tempfile

import soundfile

from app.storage import AudioSource

BLOCK_FRAMES = 65536
# Another encoder makes other bytes, which caches must not take for the same.
ENCODER = f"mp3-{soundfile.__libsndfile_version__}"


def as_mp3(source: AudioSource) -> AudioSource:
    """Encode a WAV source into memory: about 120 kB a minute. Raises soundfile.LibsndfileError for what is no audio."""
    made = io.BytesIO()
    with tempfile.TemporaryFile() as wav:
        for block in source.blocks():
            wav.write(block)
        wav.seek(0)
        with soundfile.SoundFile(wav) as sound:
            options = {"samplerate": sound.samplerate, "channels": sound.channels, "format": "MP3"}
            with soundfile.SoundFile(made, "w", **options) as encoded:
                for frames in sound.blocks(BLOCK_FRAMES, dtype="float32"):
                    encoded.write(frames)
    content = made.getvalue()
    tag = hashlib.sha256(f"{source.sha256}-{ENCODER}".encode()).hexdigest()
    return AudioSource(len(content), tag, lambda start, end: iter((content[start:end],)))
