"""What a recogniser hears in the prompts, and in sentences that the grammars join, where one is installed."""

from __future__ import annotations

import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.config import LANGUAGES, PROJECT_ROOT
from tests.ears import Understood, can_hear, understood
from tests.sounds.texts import PROMPTS, text_of
from voice.media import g711
from voice.media.g711 import Law
from voice.prompts import Prompts
from voice.speech import speech_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not can_hear(), reason="VOICEMAIL_SPEECH names no folder of sounds/make.py setup"),
]

NOW = datetime(2026, 3, 10, 18, 0, tzinfo=UTC)
# The recogniser is a small one: it errs in Chinese most, and in what is very short.
UNDERSTOOD = {"en": 0.9, "zh": 0.75, "ja": 0.8, "es": 0.85, "fr": 0.85}
WORST, MAY_BE_WORSE = 0.5, 0.05


def is_understood(language: str, results: list[Understood]) -> None:
    """Nearly all of it, and no more than a few badly."""
    bad = [str(each) for each in results if each.likeness < WORST]
    assert len(bad) <= MAY_BE_WORSE * len(results), "\n".join(bad)
    assert sum(each.likeness for each in results) / len(results) >= UNDERSTOOD[language], "\n".join(bad)


def sentences(language: str) -> list[list[str]]:
    """What an owner hears of numbers, days and times."""
    speech = speech_of(language)
    said = [speech.counts(number, (number + 7) % 100) for number in range(1, 100, 3)]
    said += [speech.counts(number, 101, number // 2) for number in (100, 342, 2001)]
    said += [
        speech.envelope(NOW - timedelta(hours=31 * step, minutes=17 * step), NOW, f"0{step}1{step}9", 13.0 * step)
        for step in range(20)
    ]
    options = [name for name, entry in PROMPTS.items() if name.startswith("option_") and language in entry]
    said += [speech.option(name, "1") for name in options]
    return said + [speech.option("option_new", key) for key in "0123456789*#"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_whole_sentences(language: str) -> None:
    rows = [
        (language, PROJECT_ROOT / "sounds" / language / f"{name}.wav", entry[language])
        for name, entry in PROMPTS.items()
        if entry["group"] != "words" and not name.startswith("option_")
    ]
    is_understood(language, understood(rows))


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_that_are_joined(language: str, tmp_path: Path) -> None:
    prompts, rows = Prompts("en"), []
    for number, names in enumerate(sentences(language)):
        path = tmp_path / f"{number}.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(g711.decode(prompts.say(names, language, Law.PCMU), Law.PCMU))
        rows.append((language, path, text_of(language, names)))
    is_understood(language, understood(rows))
