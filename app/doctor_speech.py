"""The check of `flask doctor` on speech: which languages the texts of Say are spoken in."""

from __future__ import annotations

import json
import subprocess
import sys

from app.config import LANGUAGES, PROJECT_ROOT, Settings
from app.findings import Doubtful, Wrong

ANSWER_SECONDS = 30.0
COMMAND = [sys.executable, "-m", "voice.synthesis", "languages"]
INSTALL = "Run: make speech"


def speech(settings: Settings) -> str:
    """Engines speak the languages of the product, at least the default one."""
    if not settings.programmable.enabled:
        return "switched off: programmable.enabled"
    # The engines belong to the voice side, which this side does not import.
    try:
        run = subprocess.run(
            [*COMMAND, str(settings.instance), settings.programmable.speech_engine],
            cwd=PROJECT_ROOT, capture_output=True, check=True, timeout=ANSWER_SECONDS,
        )  # fmt: skip
        found = json.loads(run.stdout)
        engines: dict[str, str] = found["languages"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        raise Wrong("the engines cannot be asked", "Read the log of the voice worker") from None
    if not engines:
        raise Wrong("nothing speaks the texts of <Say>", INSTALL)
    silent = ", ".join(language for language in LANGUAGES if language not in engines)
    text = ", ".join(f"{language} ({engine})" for language, engine in engines.items())
    text += f"; not spoken: {silent}" if silent else ""
    if found["stale"]:
        raise Doubtful(f"{text}; what make speech installed is of another version, or for another Python", INSTALL)
    if settings.language not in engines:
        raise Doubtful(f"{text}; the default language is not spoken", INSTALL)
    return text
