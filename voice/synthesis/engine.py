"""What an engine of speech is: voices, and how a sentence becomes samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from voice.errors import VoiceError


class EngineFailed(VoiceError):
    """A text could not be spoken; str() is a sentence for the developer."""


class EngineDied(EngineFailed):
    """The engine's process crashed or took too long, and is gone."""


class EngineAway(EngineFailed):
    """The engine has no time, or does not run: it says nothing of the text, which may be spoken a moment later."""


@dataclass(frozen=True)
class Voice:
    """A voice of an engine. language: a BCP 47 tag such as en-GB. sex: woman or man."""

    engine: str
    name: str
    language: str
    sex: str

    @property
    def base(self) -> str:
        """The language without its region: en, zh, ja, es, fr ..."""
        return self.language.partition("-")[0]


@dataclass(frozen=True)
class Samples:
    """Mono, 16 bits, in the machine's byte order. rate: samples a second."""

    pcm16: bytes
    rate: int


class Engine(Protocol):
    """Whoever turns one sentence into samples. Safe from any thread."""

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices of it, the first of each language being the usual one."""
        ...

    def synthesise(self, text: str, voice: Voice) -> Samples:
        """Speak a sentence; no samples where nothing in it can be spoken. EngineFailed."""
        ...
