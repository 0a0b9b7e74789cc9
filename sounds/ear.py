"""The ear that listens to the prompts (sounds/make.py): Whisper base. It errs, mostly in Chinese."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from voice.synthesis.phonemes import Phonemes

# Tone and stress: homophones that differ in no more than these are the same to a listener in a sentence.
MARKS = re.compile(r"[\W_ˈˌː]|[↗↘→↓↑]")
# Without it, Whisper answers in traditional characters.
CHINESE_START = "以下是普通话的句子。"


class Ear:
    """Hears what a WAV says. folder: what `make.py setup` filled."""

    def __init__(self, folder: Path) -> None:
        from faster_whisper import WhisperModel

        self._model = WhisperModel(str(folder / "whisper-base"), device="cpu", compute_type="int8")
        self._phonemes = Phonemes()

    def heard(self, language: str, path: Path) -> str:
        """What the WAV says."""
        segments, _ = self._model.transcribe(
            str(path),
            language=language,
            temperature=0,
            condition_on_previous_text=False,
            initial_prompt=CHINESE_START if language == "zh" else None,
        )
        return "".join(segment.text for segment in segments).strip()

    def likeness(self, language: str, said: str, heard: str) -> float:
        """0 to 1: how much of the phonemes of both is the same. 21 and twenty-one are, and so are homophones."""
        pair = [MARKS.sub("", self._phonemes.of(language, text)) if text else "" for text in (said, heard)]
        return difflib.SequenceMatcher(None, *pair, autojunk=False).ratio()
