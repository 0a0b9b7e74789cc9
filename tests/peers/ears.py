"""A recogniser of speech, where `sounds/make.py setup DIR` has installed it and VOICEMAIL_SPEECH names DIR."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from voice.prompts import BUILT_IN

FOLDER = Path(os.environ.get("VOICEMAIL_SPEECH", "/nonexistent"))
HEAR = """
import sys
from faster_whisper import WhisperModel
segments, _ = WhisperModel(sys.argv[1], device="cpu", compute_type="int8").transcribe(sys.argv[2], language=sys.argv[3])
print(" ".join(segment.text for segment in segments))
"""


def can_hear() -> bool:
    """Whether there is somebody to transcribe, and something to be transcribed."""
    return (FOLDER / "whisper-base").is_dir() and (BUILT_IN / "en" / "welcome.wav").exists()


def transcribed(path: Path, language: str) -> str:
    """What is said in a WAV, in small letters."""
    run = [str(FOLDER / "venv" / "bin" / "python"), "-c", HEAR, str(FOLDER / "whisper-base"), str(path), language]
    return subprocess.run(run, check=True, capture_output=True, text=True, timeout=300).stdout.lower()
