"""Every sound that any grammar can give exists, and every word of the list is one that a grammar gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from app.config import LANGUAGES, PROJECT_ROOT
from tests.sounds.texts import PROMPTS
from voice.owner import GreetingKind
from voice.speech import speech_of
from voice.speech.base import LARGEST, PAUSE

NUMBERS = (*range(1300), *range(1300, 30_000, 97), *range(30_000, LARGEST, 7919), LARGEST, LARGEST + 1, 10**12, -1)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def everything(language: str) -> Iterator[list[str]]:
    speech = speech_of(language)
    for number in NUMBERS:
        yield speech.number(number)
        yield speech.counts(number, number)
        yield speech.counts(number, 0)
        yield speech.counts(0, number)
        yield speech.deleted(number)
        yield speech.position(number)
    for urgent in range(100):
        yield speech.counts(urgent, 0, urgent)
        yield speech.counts(100, 0, urgent)
        yield speech.counts(100, 1, urgent)
        yield speech.counts(urgent, 1, urgent)
    for seconds in (*range(-1, 4000), *range(4000, 400_000, 61)):
        yield speech.length(seconds)
    for minute in range(24 * 60):
        yield speech.time(NEW_YEAR + timedelta(minutes=minute))
    for day in range(366):
        for year in (1970, 2000, 2004, 2025, 2026, 2099, 2100):
            when = datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day)
            yield speech.received(when, NEW_YEAR)
            yield speech.until(when, NEW_YEAR)
    for day in range(7):
        yield speech.moment(NEW_YEAR - timedelta(days=day), NEW_YEAR + timedelta(days=3))
    for key in "0123456789*#":
        yield speech.option("option_new", key)
        yield speech.caller(f"+{key}")
        yield speech.forwarded_by(key)
        yield speech.recipient(key)
    yield speech.caller("")
    yield speech.pin_length(4, 20)


@pytest.fixture(scope="module", params=LANGUAGES)
def said(request: pytest.FixtureRequest) -> tuple[str, set[str]]:
    return request.param, {name for names in everything(request.param) for name in names}


def test_what_a_grammar_says_exists_in_its_language(said: tuple[str, set[str]]) -> None:
    language, names = said
    assert {name for name in names - {PAUSE} if language not in PROMPTS.get(name, ())} == set()


def test_no_word_is_there_that_a_grammar_never_says(said: tuple[str, set[str]]) -> None:
    language, names = said
    words = {name for name, entry in PROMPTS.items() if entry["group"] == "words" and language in entry}
    assert words - names == set()


def test_no_prompt_is_there_that_nobody_says() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (PROJECT_ROOT / "voice").rglob("*.py"))
    said = {*re.findall(r'"([a-z_0-9]+)"', code), *(f"greeting_{kind}_is" for kind in GreetingKind)}
    assert {name for name, entry in PROMPTS.items() if entry["group"] != "words"} - said == set()
