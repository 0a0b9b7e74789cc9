"""The recording of a message as an attachment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_mail import Attachment

from app import formats
from app.mail.facts import Facts
from app.storage import AudioSource

WAV, MP3 = "wav", "mp3"
TYPES = {WAV: "audio/wav", MP3: "audio/mpeg"}
# 8-bit samples become 16-bit ones, MP3 is about a quarter of them.
GROWTH = {WAV: 2.0, MP3: 0.25}


class TooLarge(Exception):
    """The recording is larger than may be attached."""


def attachment_of(source: AudioSource, kind: str, facts: Facts, largest: int) -> Attachment:
    """A recording as a file to attach. kind: wav (16-bit PCM) or mp3; largest: bytes.

    Raises TooLarge, StoreError while the recording is read, soundfile.LibsndfileError where it is no audio.
    """
    if source.size * GROWTH[kind] > largest * 1.1:
        raise TooLarge
    content = formats.as_pcm_wav(source) if kind == WAV else b"".join(formats.as_mp3(source).blocks())
    if len(content) > largest:
        raise TooLarge
    return Attachment(f"{_file_name(facts.variables)}.{kind}", TYPES[kind], content)


def _file_name(variables: Mapping[str, Any]) -> str:
    """When, and from which number, in what every file system takes."""
    received: datetime = variables["received_at"]
    number = re.sub(r"[^0-9A-Za-z+]", "", variables["caller"]["number"])[:32]
    return f"voicemail-{received:%Y-%m-%d-%H%M%S}{f'-{number}' if number else ''}"
