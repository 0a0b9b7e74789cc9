"""The sentences of the test set in other voices than those of `sounds/`: eSpeak NG's, where that is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import tomllib
import wave
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import soxr

from bench.signals import LANGUAGES, SENTENCES, Samples, spoken
from voice.media import SAMPLE_RATE
from voice.prompts import BUILT_IN

PROGRAM = "espeak-ng"
VOICES = {"en": "en-us", "es": "es-419", "fr": "fr-fr", "ja": "ja", "zh": "cmn"}
VARIANTS = ("", "+f3")
"""A man and a woman."""


def is_installed() -> bool:
    """Whether voices() can be made here."""
    return shutil.which(PROGRAM) is not None


@cache
def voices() -> tuple[Samples, ...]:
    """Each sentence in five languages, by a man and a woman. OSError, CalledProcessError where it cannot be said."""
    texts = tomllib.loads((BUILT_IN / "prompts.toml").read_text(encoding="utf-8"))
    return tuple(
        _said(texts[name][language], VOICES[language] + variant)
        for name, language, variant in product(SENTENCES, LANGUAGES, VARIANTS)
    )


def _said(text: str, voice: str) -> Samples:
    with tempfile.TemporaryDirectory(prefix="espeak-") as folder:
        path = Path(folder) / "said.wav"
        subprocess.run([PROGRAM, "-v", voice, "-w", str(path), text], check=True, capture_output=True)
        with wave.open(str(path)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
            return spoken(soxr.resample(samples, file.getframerate(), SAMPLE_RATE))
