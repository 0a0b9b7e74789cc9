"""Sounds that stand in for prompts without one: each is like no other, so that it is known when it is heard."""

from __future__ import annotations

import tomllib
import wave
import zlib
from pathlib import Path

from app.config import LANGUAGES
from tests.peers.speech import speech_pcm
from voice.prompts import BUILT_IN

SECONDS = 0.6


def lay_stand_ins(folder: Path) -> None:
    """Write one into this folder of sounds for each prompt that has a text and no built-in sound."""
    prompts = tomllib.loads((BUILT_IN / "prompts.toml").read_text(encoding="utf-8"))
    for language in LANGUAGES:
        (folder / language).mkdir(parents=True, exist_ok=True)
        for name, texts in prompts.items():
            if language in texts and not (BUILT_IN / language / f"{name}.wav").exists():
                _write(folder / language / f"{name}.wav", zlib.crc32(f"{language} {name}".encode()))


def _write(path: Path, seed: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(speech_pcm(SECONDS, seed))
