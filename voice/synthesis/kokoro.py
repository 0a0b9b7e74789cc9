"""Kokoro-82M v1.0: a far better voice in all five languages, from what `make speech` installed (install.py)."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from voice.synthesis.engine import EngineFailed, Samples, Voice
from voice.synthesis.installed import MODEL, PACKAGES, VOCABULARY, VOICE_FOLDER
from voice.synthesis.phonemes import Phonemes
from voice.synthesis.voices import KOKORO, VOICES

RATE = 24_000
# The model takes 510 tokens, and has as many styles of each voice.
MOST_TOKENS, STYLE_SIZE = 500, 256
MOST_THREADS = 2
SPEEDS = {"en": 0.95, "zh": 0.9, "es": 0.95}


class Kokoro:
    """An Engine. Needs half a gigabyte of memory, and about as long as its speech lasts. For one thread."""

    def __init__(self, folder: Path) -> None:
        # At the end: what both have is the product's.
        sys.path.append(str(folder / PACKAGES))
        import onnxruntime

        self._folder = folder
        self._phonemes = Phonemes(folder)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = min(MOST_THREADS, os.cpu_count() or 1)
        self._session = onnxruntime.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
        self._vocabulary = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))["vocab"]
        self._styles: dict[str, Any] = {}

    @property
    def voices(self) -> tuple[Voice, ...]:
        """Those of five languages."""
        return tuple(voice for voice in VOICES if voice.engine == KOKORO)

    def synthesise(self, text: str, voice: Voice) -> Samples:
        """Speak a sentence. EngineFailed."""
        phonemes = self._phonemes.of(voice.base, text)
        tokens = [self._vocabulary[each] for each in phonemes if each in self._vocabulary]
        parts = [tokens[start : start + MOST_TOKENS] for start in range(0, len(tokens), MOST_TOKENS)]
        sound = np.concatenate([self._spoken(part, voice) for part in parts]) if parts else np.zeros(0)
        if not np.isfinite(sound).all():
            raise EngineFailed("Kokoro made something that is no sound.")
        return Samples((np.clip(sound, -1, 1) * 32767).astype(np.int16).tobytes(), RATE)

    def _spoken(self, tokens: list[int], voice: Voice) -> Any:
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": self._style(voice)[len(tokens) - 1][None],
            "speed": np.array([SPEEDS.get(voice.base, 1.0)], np.float32),
        }
        return self._session.run(None, inputs)[0].ravel()

    def _style(self, voice: Voice) -> Any:
        if voice.name not in self._styles:
            path = self._folder / VOICE_FOLDER / f"{voice.name}.bin"
            self._styles[voice.name] = np.fromfile(path, np.float32).reshape(-1, STYLE_SIZE)
        return self._styles[voice.name]
