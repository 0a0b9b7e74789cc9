"""Which voice speaks: of the language that was asked for, else of the default one, else of English."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voice.synthesis.engine import EngineFailed, Voice
from voice.synthesis.voices import VOICES, Asked, asked_by, nearness, tag_of

NAMES = {
    "en": "English", "zh": "Chinese", "ja": "Japanese", "es": "Spanish", "fr": "French", "de": "German",
    "it": "Italian",
}  # fmt: skip
ADVICE = "`make speech` installs voices for English, Chinese, Japanese, Spanish and French"


@dataclass(frozen=True)
class Choice:
    """Voices to try in turn, all of one language, and what the developer should know, or empty."""

    voices: tuple[Voice, ...]
    notice: str


def choose(language: str, voice: str, engines: Sequence[str], default: str) -> Choice:
    """The voices for what Say asks for. engines: those that are here, the preferred one first. EngineFailed: none is.

    Where Say names no language, the voice's name may tell it; else it is the default one.
    """
    asked = asked_by(voice)
    tag = tag_of(language) or asked.language or default
    notices = []
    if language.strip() and not tag_of(language):
        notices.append(f'"{language[:40]}" is no language, so {_name(tag)} is heard.')
    spoken = tag
    if not _speakers(tag, engines):
        spoken = next((each for each in (default, "en") if _speakers(each, engines)), "")
        if not spoken:
            raise EngineFailed(f"Nothing here speaks {_name(tag)}, {_name(default)} or English; {ADVICE}.")
        advice = f": {ADVICE}" if _could_be_installed(tag) else ""
        notices.append(f"No voice here speaks {_name(tag)}, so one for {_name(spoken)} is taken{advice}.")
    voices = _in_order(_speakers(spoken, engines), spoken, asked, engines)
    if unmet := _unmet(voice.strip(), asked, voices[0], spoken == tag):
        notices.append(unmet)
    return Choice(voices, " ".join(notices))


def languages(engines: Sequence[str]) -> dict[str, str]:
    """Language to the engine that speaks it, of these, the preferred one first."""
    found: dict[str, str] = {}
    for engine in engines:
        for voice in VOICES:
            if voice.engine == engine:
                found.setdefault(voice.base, engine)
    return found


def _speakers(tag: str, engines: Sequence[str]) -> list[Voice]:
    return [voice for voice in VOICES if voice.engine in engines and voice.base == tag.partition("-")[0]]


def _could_be_installed(tag: str) -> bool:
    return any(voice.base == tag.partition("-")[0] for voice in VOICES)


def _in_order(voices: list[Voice], tag: str, asked: Asked, engines: Sequence[str]) -> tuple[Voice, ...]:
    """The best voice of each engine, the best of all first."""

    def worth(voice: Voice) -> tuple[bool, int, bool, int]:
        return (
            voice == asked.own,
            -engines.index(voice.engine),
            voice.sex == (asked.sex or voice.sex),
            nearness(voice, tag),
        )

    best: dict[str, Voice] = {}
    for voice in sorted(voices, key=worth, reverse=True):
        best.setdefault(voice.engine, voice)
    return tuple(best.values())


def _unmet(name: str, asked: Asked, voice: Voice, right_language: bool) -> str:
    """What of a voice's name could not be had; of a fall-back's voice nothing is said."""
    if not asked.known:
        return f'There is no voice "{name[:60]}" here, so the usual one of {_name(voice.language)} speaks.'
    if not right_language:
        return ""
    if asked.own and asked.own != voice:
        return f'The voice "{name[:60]}" is not here for {_name(voice.language)}, so {voice.name} speaks.'
    if asked.sex and asked.sex != voice.sex:
        return f"There is no voice of a {asked.sex} for {_name(voice.language)} here."
    return ""


def _name(tag: str) -> str:
    return NAMES.get(tag.partition("-")[0], tag)
