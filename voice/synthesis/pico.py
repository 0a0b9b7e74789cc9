"""SVOX Pico by py-nanotts: small and quick, in six languages (docs/adr/0013-say.md)."""

from __future__ import annotations

import resource

from voice.synthesis.engine import EngineFailed, Samples, Voice
from voice.synthesis.voices import MAN, PICO, VOICES

RATE = 16_000
MAN_PITCH = 0.72
MOST_MEMORY = 1_000_000_000


class Pico:
    """An Engine. Its library holds the interpreter's lock as long as it works: it wants a process of its own.

    Its text may hold markup that writes files: angle brackets are refused, and this process may write none.
    """

    def __init__(self) -> None:
        from py_nanotts import NanoTTS

        self._pico = NanoTTS()
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))

    @property
    def voices(self) -> tuple[Voice, ...]:
        """Those of six languages."""
        return tuple(voice for voice in VOICES if voice.engine == PICO)

    def synthesise(self, text: str, voice: Voice) -> Samples:
        """Speak a sentence. EngineFailed."""
        if "<" in text or ">" in text or "\0" in text:
            raise EngineFailed("SVOX Pico takes no angle brackets.")
        pitch = MAN_PITCH if voice.sex == MAN else None
        try:
            return Samples(self._pico.speak(text, voice=voice.language, pitch=pitch), RATE)
        except (RuntimeError, ValueError) as error:
            raise EngineFailed(f"SVOX Pico cannot speak it: {error}") from None
