"""Sentences that tell people what their act did, with a button that undoes it where that is possible."""

from __future__ import annotations

from typing import Any

from flask import Flask, flash, get_flashed_messages

DONE, PROBLEM, HINT = "done", "problem", "hint"


def init_app(app: Flask) -> None:
    """Let templates show the notices that wait."""
    app.add_template_global(waiting, "waiting_notices")


def tell(text: str, kind: str = DONE, *, undo: str = "", fields: dict[str, str] | None = None) -> None:
    """Show a sentence on the next page or fragment. It must hold no secret: it travels in the session's cookie.

    undo: the address that a button posts to, with `fields`.
    """
    flash({"text": text, "undo": undo, "fields": fields or {}}, kind)  # type: ignore[arg-type]  # any JSON travels


def waiting() -> list[dict[str, Any]]:
    """The notices to show now, each once."""
    pairs: Any = get_flashed_messages(with_categories=True)
    found = []
    for kind, notice in pairs:
        # Flask-Login flashes plain text.
        notice = notice if isinstance(notice, dict) else {"text": str(notice), "undo": "", "fields": {}}
        found.append({**notice, "kind": kind})
    return found
