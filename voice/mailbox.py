"""What a call needs to know of a mailbox, and the snapshot that decides while the database is away."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class MailboxFacts:
    """A mailbox as a call sees it.

    greetings: the path of a WAV in the voice worker's cache, by kind (unavailable, busy, temporary, name).
    temporary_ends_at: when the temporary one gives way (ISO 8601, UTC), None for not at all.
    aliases: other numbers that lead here. full: it takes no message now.
    operator (the number that key 0 leads to, or empty), speaks_envelope, review: the mailbox's, else of the settings.
    max_duration, silence_timeout, min_speech: seconds, None for those of the settings.
    seconds_left: how long a message may be before the mailbox is full, None where that has no limit or is not known.
    """

    id: str
    extension: str
    name: str
    language: str
    timezone: str
    greetings: Mapping[str, str] = field(default_factory=dict)
    temporary_ends_at: str | None = None
    aliases: tuple[str, ...] = ()
    operator: str = ""
    announcement_only: bool = False
    trusts_own_phone: bool = False
    speaks_envelope: bool = True
    review: bool = False
    full: bool = False
    max_duration: float | None = None
    silence_timeout: float | None = None
    min_speech: float | None = None
    seconds_left: float | None = None

    @property
    def greeting(self) -> str | None:
        """The mailbox's own greeting for callers who are not answered."""
        return self.greetings.get("unavailable")

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> MailboxFacts:
        """What to_plain() wrote, by this version, an older one or a newer one; TypeError for anything else."""
        known = {item.name: plain[item.name] for item in fields(cls) if item.name in plain}
        if "greetings" not in plain and plain.get("greeting"):
            # A snapshot of the first version knew one greeting.
            known["greetings"] = {"unavailable": plain["greeting"]}
        known["aliases"] = tuple(known.get("aliases", ()))
        return cls(**known)


@dataclass(frozen=True)
class MessageCounts:
    """What waits in a mailbox. new, saved: messages; urgent_new, urgent_saved: how many of them are urgent.

    version: grows with each change in the mailbox.
    """

    mailbox_id: str
    extension: str
    new: int
    saved: int
    urgent_new: int
    urgent_saved: int
    version: int = 0


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
    # No text within a row looks like these: its quotes are escaped.
    place = lines.find(f'"extension": {json.dumps(extension)}'.encode())
    if place < 0:
        alias = re.search(rb'"aliases": \[(?:"[0-9]+", )*' + re.escape(json.dumps(extension).encode()), lines)
        if alias is None:
            return None
        place = alias.start()
    end = lines.find(b"\n", place)
    line = lines[lines.rfind(b"\n", 0, place) + 1 : end if end >= 0 else len(lines)]
    try:
        return MailboxFacts.from_plain(json.loads(line.rstrip(b",")))
    except (ValueError, TypeError, AttributeError):
        return None


def snapshot_path(instance: Path) -> Path:
    """Where the snapshot of mailboxes lies."""
    return instance / "voice" / "mailboxes.json"
