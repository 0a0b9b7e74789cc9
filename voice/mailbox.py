"""What a call needs to know of a mailbox, and the snapshot that decides while the database is away."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class MailboxFacts:
    """A mailbox as a call sees it; greeting is the path of a WAV in the voice worker's cache, or None."""

    id: str
    extension: str
    name: str
    language: str
    timezone: str
    greeting: str | None = None


@dataclass(frozen=True)
class MessageCounts:
    """What waits in a mailbox. new, saved: messages; urgent_new, urgent_saved: how many of them are urgent."""

    mailbox_id: str
    extension: str
    new: int
    saved: int
    urgent_new: int
    urgent_saved: int


def to_plain(facts: Iterable[MailboxFacts]) -> list[dict[str, Any]]:
    """Values that JSON can carry."""
    return [asdict(item) for item in facts]


def write_snapshot(path: Path, facts: Iterable[MailboxFacts]) -> None:
    """Replace the snapshot as a whole, so that a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in to_plain(facts))
    part.write_text(f"[\n{rows}\n]", encoding="utf-8")
    os.replace(part, path)


def find_in_snapshot(path: Path, extensions: Iterable[str]) -> MailboxFacts | None:
    """The first of these extensions that the snapshot knows; None where it knows none, or there is no snapshot."""
    try:
        lines = path.read_bytes()
    except OSError:
        return None
    return next((facts for name in extensions if (facts := _find_line(lines, name)) is not None), None)


def _find_line(lines: bytes, extension: str) -> MailboxFacts | None:
    """The mailbox in the one line that holds it: to read all of a thousand would hold up the audio of other calls."""
    # No text within a row looks like this: its quotes are escaped.
    place = lines.find(f'"extension": {json.dumps(extension)}'.encode())
    if place < 0:
        return None
    end = lines.find(b"\n", place)
    line = lines[lines.rfind(b"\n", 0, place) + 1 : end if end >= 0 else len(lines)]
    try:
        return MailboxFacts(**json.loads(line.rstrip(b",")))
    except (ValueError, TypeError):
        return None


def snapshot_path(instance: Path) -> Path:
    """Where the snapshot of mailboxes lies."""
    return instance / "voice" / "mailboxes.json"
