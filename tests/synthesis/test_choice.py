"""Which voice speaks, for languages and names as documents have them."""

from __future__ import annotations

import pytest

from voice.synthesis.choice import Choice, choose, languages
from voice.synthesis.engine import EngineFailed
from voice.synthesis.voices import KOKORO, PICO, tag_of


def chosen(language: str, voice: str = "", default: str = "en", engines: tuple[str, ...] = (PICO,)) -> Choice:
    return choose(language, voice, engines, default)


@pytest.mark.parametrize(
    ("language", "tag"),
    [("en-GB", "en-GB"), ("cmn-Hans-CN", "zh-CN"), ("zh_cn", "zh-CN"), ("JA", "ja"), ("es-419", "es-419"),
     ("", ""), ("english", ""), ("en-US-x-private", "en-US"), ("!!", "")],
)  # fmt: skip
def test_tags(language: str, tag: str) -> None:
    assert tag_of(language) == tag


@pytest.mark.parametrize(
    ("language", "voice", "name"),
    [
        ("en-US", "", "en-US"),
        ("en", "woman", "en-US"),
        ("en-GB", "alice", "en-GB"),
        ("en-AU", "", "en-GB"),
        ("en-CA", "", "en-US"),
        ("es-MX", "Polly.Mia", "es-ES"),
        ("fr-CA", "man", "fr-FR-low"),
        ("", "", "en-US"),
        ("", "Polly.Brian", "en-GB-low"),
        ("", "Polly.Joanna-Neural", "en-US"),
        ("", "Google.fr-FR-Wavenet-C", "fr-FR"),
        ("", "es-ES", "es-ES"),
        ("en-US", "Pico.en-GB", "en-GB"),
        ("de-DE", "Polly.Hans", "de-DE-low"),
    ],
)
def test_the_voice_of_what_is_asked_for(language: str, voice: str, name: str) -> None:
    choice = chosen(language, voice)
    assert (choice.voices[0].name, choice.notice) == (name, "")


@pytest.mark.parametrize(
    ("language", "default", "heard", "said"),
    [
        ("ja-JP", "fr", "fr-FR", "No voice here speaks Japanese, so one for French is taken: `make speech` installs"),
        ("zh-CN", "ja", "en-US", "No voice here speaks Chinese, so one for English is taken: `make speech` installs"),
        ("", "zh", "en-US", "No voice here speaks Chinese, so one for English is taken: `make speech` installs"),
        ("ru-RU", "es", "es-ES", "No voice here speaks ru-RU, so one for Spanish is taken."),
        ("tlhingan!", "es", "es-ES", '"tlhingan!" is no language, so Spanish is heard.'),
    ],
)
def test_without_a_voice_the_default_language_is_heard_else_english(
    language: str, default: str, heard: str, said: str
) -> None:
    choice = chosen(language, default=default)
    assert choice.voices[0].language == heard
    assert choice.notice.startswith(said)


def test_an_unknown_voice_is_told() -> None:
    assert chosen("es", "Polly.Nobody").notice == (
        'There is no voice "Polly.Nobody" here, so the usual one of Spanish speaks.'
    )


def test_a_voice_that_the_language_lacks_is_told() -> None:
    assert chosen("fr", "man", engines=(KOKORO,)).notice == "There is no voice of a man for French here."
    assert chosen("en", "Kokoro.af_heart").notice == (
        'The voice "Kokoro.af_heart" is not here for English, so en-US speaks.'
    )


def test_without_any_engine() -> None:
    with pytest.raises(EngineFailed, match="Nothing here speaks French, Japanese or English; `make speech` installs"):
        chosen("fr", default="ja", engines=())


def test_the_preferred_engine_speaks_what_it_can_and_the_other_stands_by() -> None:
    both = (KOKORO, PICO)
    assert [voice.engine for voice in chosen("en", engines=both).voices] == [KOKORO, PICO]
    assert [voice.engine for voice in chosen("en", engines=(PICO, KOKORO)).voices] == [PICO, KOKORO]
    assert [voice.engine for voice in chosen("ja", engines=(PICO, KOKORO)).voices] == [KOKORO]
    assert chosen("en", "Kokoro.am_michael", engines=(PICO, KOKORO)).voices[0].name == "am_michael"


def test_languages_by_engine() -> None:
    assert languages([PICO]) == dict.fromkeys(("en", "es", "fr", "de", "it"), PICO)
    assert languages([PICO, KOKORO])["zh"] == KOKORO
    assert languages([]) == {}
