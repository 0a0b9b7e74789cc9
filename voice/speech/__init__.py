"""Numbers, days, times and durations as the sounds that say them, a grammar a language."""

from __future__ import annotations

from voice.speech.base import Speech
from voice.speech.en import English
from voice.speech.es import Spanish
from voice.speech.fr import French
from voice.speech.ja import Japanese
from voice.speech.zh import Chinese

_SPEECHES: dict[str, Speech] = {
    speech.language: speech for speech in (English(), Chinese(), Japanese(), Spanish(), French())
}

__all__ = ["Speech", "speech_of"]


def speech_of(language: str) -> Speech:
    """The grammar of a language; English for one that is not known."""
    return _SPEECHES.get(language, _SPEECHES["en"])
