"""E-mail addresses of a mailbox: several in one column, separated by commas."""

from __future__ import annotations

import re


def split(text: str) -> list[str]:
    """The addresses of a column or a field, each once, in their order."""
    parts = (part.strip() for part in re.split(r"[,;\s]+", text))
    return list(dict.fromkeys(part for part in parts if part))
