"""The prompts that are shipped: all there, fit for the telephone, and made from the texts of prompts.toml."""

from __future__ import annotations

import hashlib
import json
import re
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from app.config import LANGUAGES, PROJECT_ROOT
from tests.sounds.texts import PROMPTS
from voice.media.wav import read_prompt

SOUNDS = PROJECT_ROOT / "sounds"
MANIFEST = json.loads((SOUNDS / "manifest.json").read_text(encoding="utf-8"))
LEVEL, LEVEL_OF_WORDS = 1.5, 2.5
LONGEST_SECONDS = {"sentence": 16.0, "word": 4.0}


def names_of(language: str) -> list[str]:
    return [name for name, entry in PROMPTS.items() if language in entry]


def path_of(language: str, name: str) -> Path:
    return SOUNDS / language / f"{name}.wav"


def samples_of(path: Path) -> np.ndarray:
    with wave.open(str(path)) as sound:
        assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (8000, 2, 1)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768


def levels_of(samples: np.ndarray) -> np.ndarray:
    """RMS of each 20 ms."""
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
    return np.sqrt((frames**2).mean(axis=1))


def faults_of(samples: np.ndarray, *, word: bool) -> Iterable[str]:
    """What makes a sound unfit for the telephone."""
    levels = levels_of(samples)
    active = levels[levels > levels.max() * 10 ** (-30 / 20)]
    level = 20 * np.log10(np.sqrt((active**2).mean()))
    if abs(level + 20) > (LEVEL_OF_WORDS if word else LEVEL):
        yield f"its level is {level:.1f} dBFS"
    if np.abs(samples).max() > 10 ** (-1.5 / 20):
        yield "its peaks are too high"
    loud = np.where(levels > 0.01)[0]
    if loud[0] >= 15:
        yield "silence before the first word"
    if len(levels) - loud[-1] >= 25:
        yield "silence after the last word"
    if max(abs(samples[0]), abs(samples[-1])) >= 0.001:
        yield "it begins or ends with a click"
    if not 0.12 < len(samples) / 8000 < LONGEST_SECONDS["word" if word else "sentence"]:
        yield f"it is {len(samples) / 8000:.1f} s long"


def test_each_prompt_has_a_text_in_every_language_and_says_when_it_is_heard() -> None:
    for name, entry in PROMPTS.items():
        assert re.fullmatch(r"[a-z_]+(_\d+)?", name)
        assert {"group", "when"} < set(entry) <= {"group", "when", *LANGUAGES}
        assert entry["group"] == "words" or set(LANGUAGES) < set(entry), name
        assert all(text.strip() for text in entry.values())


def test_every_text_has_its_sound_and_no_sound_is_there_without_a_text() -> None:
    there = {str(path.relative_to(SOUNDS)) for path in SOUNDS.glob("*/*.wav")}
    assert there == {f"{language}/{name}.wav" for language in LANGUAGES for name in names_of(language)} == set(MANIFEST)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sound_is_the_one_that_was_made_from_its_text(language: str) -> None:
    for name in names_of(language):
        entry = MANIFEST[f"{language}/{name}.wav"]
        assert entry["sha256"] == hashlib.sha256(path_of(language, name).read_bytes()).hexdigest(), name
        text_hash = hashlib.sha256(PROMPTS[name][language].encode()).hexdigest()
        assert entry["text_sha256"] == text_hash, f"make {language}/{name} anew: sounds/make.py synth"


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_sound_is_fit_for_the_telephone(language: str) -> None:
    found = {}
    for name in names_of(language):
        samples = samples_of(path_of(language, name))
        if faults := list(faults_of(samples, word=PROMPTS[name]["group"] == "words")):
            found[name] = faults
    assert found == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_test_message_is_long_enough_to_be_heard_and_short_enough_to_wait_for(language: str) -> None:
    assert 5 < len(samples_of(path_of(language, "test_message"))) / 8000 < 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_voice_worker_can_play_each(language: str) -> None:
    for name in names_of(language):
        pcm = np.frombuffer(read_prompt(path_of(language, name)), "<i2") / 32768
        assert np.array_equal(pcm, samples_of(path_of(language, name))), name
