"""What a list of sounds says, as a text: the grammars are tested by what callers hear."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable

from app.config import PROJECT_ROOT
from voice.speech.base import PAUSE

PROMPTS = tomllib.loads((PROJECT_ROOT / "sounds" / "prompts.toml").read_text(encoding="utf-8"))


def text_of(language: str, names: Iterable[str]) -> str:
    """The texts of the sounds in their order; KeyError for one that does not exist in this language."""
    between = "" if language in ("zh", "ja") else " "
    return between.join(PROMPTS[name][language] for name in names if name != PAUSE)
