"""How much speech is in a recording that is already on disk, by the same ears that hear live calls."""

from __future__ import annotations

from pathlib import Path

from voice.media import wav
from voice.media.g711 import Law
from voice.media.listener import HEARD_TOGETHER, Listener
from voice.media.silence import FRAME_BYTES


def speech_seconds(path: Path) -> float:
    """Seconds of speech in a WAV of 8 kHz mono; OSError, ValueError where it is none."""
    pcm16 = wav.read_prompt(path)
    listener = Listener(Law.PCMU, None)
    for start in range(0, len(pcm16) - FRAME_BYTES + 1, HEARD_TOGETHER * FRAME_BYTES):
        block = pcm16[start : start + HEARD_TOGETHER * FRAME_BYTES]
        listener.hear_pcm(block[: len(block) - len(block) % FRAME_BYTES])
    return listener.heard().speech
