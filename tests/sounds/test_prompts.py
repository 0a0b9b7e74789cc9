"""The prompts that are shipped: all there, fit for the telephone, and made from the texts of prompts.toml."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
import wave
from pathlib import Path

import numpy as np
import pytest

from app.config import LANGUAGES, PROJECT_ROOT
from voice.media.wav import read_prompt

SOUNDS = PROJECT_ROOT / "sounds"
PROMPTS = tomllib.loads((SOUNDS / "prompts.toml").read_text(encoding="utf-8"))
MANIFEST = json.loads((SOUNDS / "manifest.json").read_text(encoding="utf-8"))
FILES = [
    (language, name)
    for name, entry in PROMPTS.items()
    for language in LANGUAGES
    if language in entry and f"{language}/{name}.wav" in MANIFEST
]


def samples_of(path: Path) -> np.ndarray:
    with wave.open(str(path)) as sound:
        assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (8000, 2, 1)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768


def levels_of(samples: np.ndarray) -> np.ndarray:
    """RMS of each 20 ms."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    return np.sqrt((frames**2).mean(axis=1))


def test_each_prompt_has_a_text_in_every_language_and_says_when_it_is_heard() -> None:
    for name, entry in PROMPTS.items():
        assert re.fullmatch(r"[a-z_]+(_\d+)?", name)
        assert set(entry) <= {"group", "when", *LANGUAGES}
        assert entry["group"] == "words" or {"when", *LANGUAGES} < set(entry), name
        assert all(text.strip() for text in entry.values())


def test_no_sound_is_there_without_a_text() -> None:
    there = {str(path.relative_to(SOUNDS)) for path in SOUNDS.glob("*/*.wav")}
    assert there == {f"{language}/{name}.wav" for language, name in FILES} == set(MANIFEST)


@pytest.mark.parametrize(("language", "name"), FILES)
def test_the_sound_is_the_one_that_was_made_from_this_text(language: str, name: str) -> None:
    entry = MANIFEST[f"{language}/{name}.wav"]
    assert entry["sha256"] == hashlib.sha256((SOUNDS / language / f"{name}.wav").read_bytes()).hexdigest()
    text = PROMPTS[name][language]
    assert entry["text_sha256"] == hashlib.sha256(text.encode()).hexdigest(), "make it anew: sounds/make.py synth"


@pytest.mark.parametrize(("language", "name"), FILES)
def test_the_sound_is_fit_for_the_telephone(language: str, name: str) -> None:
    samples = samples_of(SOUNDS / language / f"{name}.wav")
    levels = levels_of(samples)
    active = levels[levels > levels.max() * 10 ** (-30 / 20)]
    assert 20 * np.log10(np.sqrt((active**2).mean())) == pytest.approx(-20, abs=1.5)
    assert np.abs(samples).max() <= 10 ** (-1.5 / 20)
    loud = np.where(levels > 0.01)[0]
    assert loud[0] < 15, "silence before the first word"
    assert len(levels) - loud[-1] < 25, "silence after the last word"
    assert abs(samples[0]) < 0.001
    assert abs(samples[-1]) < 0.001


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_test_message_is_long_enough_to_be_heard_and_short_enough_to_wait_for(language: str) -> None:
    samples = samples_of(SOUNDS / language / "test_message.wav")
    assert 5 < len(samples) / 8000 < 10


@pytest.mark.parametrize(("language", "name"), FILES)
def test_the_voice_worker_can_play_it(language: str, name: str) -> None:
    path = SOUNDS / language / f"{name}.wav"
    pcm = np.frombuffer(read_prompt(path), "<i2") / 32768
    assert np.array_equal(pcm, samples_of(path))
