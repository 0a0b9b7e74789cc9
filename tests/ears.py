"""A recogniser of speech, where `sounds/make.py setup DIR` has installed it and VOICEMAIL_SPEECH names DIR."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from app.config import PROJECT_ROOT

FOLDER = os.environ.get("VOICEMAIL_SPEECH", "")


class Understood(NamedTuple):
    """How much of a sound was understood (0 to 1), what it should say, and what was heard."""

    likeness: float
    said: str
    heard: str


def can_hear() -> bool:
    """Whether there is somebody to transcribe. ValueError where the variable names something else."""
    if FOLDER and not (Path(FOLDER) / "whisper-base").is_dir():
        raise ValueError(f"VOICEMAIL_SPEECH={FOLDER} is no folder of sounds/make.py setup")
    return bool(FOLDER)


def understood(rows: Iterable[tuple[str, Path, str]]) -> list[Understood]:
    """What is heard in these: language, WAV, what it should say."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv", encoding="utf-8") as listed:
        listed.writelines(f"{language}\t{path}\t{said}\n" for language, path, said in rows)
        listed.flush()
        command = [f"{FOLDER}/venv/bin/python", str(PROJECT_ROOT / "sounds" / "make.py"), "hear", FOLDER, listed.name]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = (line.split("\t") for line in run.stdout.splitlines() if line.count("\t") == 3)
    return [Understood(float(likeness), said, heard) for likeness, _, said, heard in lines]
