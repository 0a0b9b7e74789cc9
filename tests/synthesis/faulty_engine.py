"""An engine that fails as real ones do, in a process as theirs: `python -m tests.synthesis.faulty_engine LOG`.

A text with "crash" ends it by a signal, "hang" never ends, "refuse" fails, "bug" raises, "nothing" has no samples, and
the engine's own name fails with that engine alone.
Every other is a tone, whose length tells how long the text is. Each text is a line of LOG.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import numpy as np

from voice.synthesis.engine import EngineFailed, Samples, Voice
from voice.synthesis.server import serve
from voice.synthesis.voices import VOICES

RATE = 16_000


class Faulty:
    """An Engine."""

    def __init__(self, log: Path) -> None:
        self._log = log

    @property
    def voices(self) -> tuple[Voice, ...]:
        return VOICES

    def synthesise(self, text: str, voice: Voice) -> Samples:
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"{voice.name} {text}\n")
        if "crash" in text:
            os.abort()
        if "hang" in text:
            threading.Event().wait()
        if "refuse" in text or voice.engine in text:
            raise EngineFailed("I do not say that.")
        if "bug" in text:
            raise ZeroDivisionError("by a bug")
        if "nothing" in text:
            return Samples(b"", RATE)
        tone = 0.2 * np.sin(2 * np.pi * 400 * np.arange(len(text) * RATE // 20) / RATE)
        return Samples((tone * 32767).astype(np.int16).tobytes(), RATE)


if __name__ == "__main__":
    serve(sys.stdin.buffer, os.fdopen(1, "wb", buffering=0), lambda: Faulty(Path(sys.argv[1])))
