"""Prompts of the system: what they are, and custom ones, which are laid over the built-in ones, per language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.config import LANGUAGES, PROJECT_ROOT
from app.database import writing
from app.errors import NotFound
from app.extensions import db
from app.models import Prompt
from app.models.base import new_id, utc_now
from app.services import audit, uploads
from app.services.context import settings
from app.storage import AudioSource, MissingObject

BUILT_IN = PROJECT_ROOT / "sounds"
LONGEST_SECONDS = 120.0
TRIES = 3


class Origin(StrEnum):
    """Where the sound of a prompt comes from: uploaded in the portal, laid over the built-in ones, built in; or not."""

    CUSTOM = "custom"
    FOLDER = "folder"
    BUILT_IN = "built-in"
    MISSING = "missing"


@dataclass(frozen=True)
class Entry:
    """A prompt of sounds/prompts.toml. when: the moment at which it is heard; texts: by language.

    A word that only some languages need has no text in the others.
    """

    name: str
    group: str
    when: str
    texts: Mapping[str, str]


@dataclass(frozen=True)
class CustomPrompt:
    """A custom prompt as a voice worker fetches it: `open_custom` gives the audio, 8 kHz, 16-bit, mono WAV."""

    name: str
    language: str
    storage_key: str
    sha256: str
    created_at: datetime


@cache
def catalogue() -> Mapping[str, Entry]:
    """Every prompt by its name, in the order of the file."""
    rows: dict[str, dict[str, Any]] = tomllib.loads((BUILT_IN / "prompts.toml").read_text(encoding="utf-8"))
    return {
        name: Entry(
            name,
            str(row.get("group", "")),
            str(row.get("when", "")),
            {language: str(row[language]) for language in LANGUAGES if language in row},
        )
        for name, row in rows.items()
    }


def get(name: str) -> Entry:
    """A prompt by its name; NotFound."""
    entry = catalogue().get(name)
    if entry is None:
        raise NotFound("There is no such prompt.")
    return entry


def custom() -> list[CustomPrompt]:
    """All custom prompts, by language and name; those of names that this version does not know are left out."""
    rows = db.session.scalars(select(Prompt).order_by(Prompt.language, Prompt.name))
    return [
        CustomPrompt(row.name, row.language, row.storage_key, row.sha256, row.created_at)
        for row in rows
        if row.name in catalogue()
    ]


def find(name: str, language: str) -> CustomPrompt | None:
    """The custom prompt of a name and language, or None where the default one plays; NotFound for an unknown name."""
    _known(name, language)
    return next((one for one in custom() if (one.name, one.language) == (name, language)), None)


def open_custom(prompt: CustomPrompt) -> AudioSource:
    """A custom prompt's audio; NotFound where the store lost it, Unavailable where the store does not answer."""
    return uploads.open_stored(prompt.storage_key, prompt.sha256, "The prompt")


def open_default(name: str, language: str) -> AudioSource:
    """The audio that plays without a custom prompt; NotFound where this host has none."""
    _known(name, language)
    path, _ = default_of(name, language)
    try:
        if path is not None:
            return AudioSource.of_file(path)
    except MissingObject:
        pass
    raise NotFound("This host has no sound for this prompt.")


def default_of(name: str, language: str) -> tuple[Path | None, Origin]:
    """The file that plays without a custom prompt, and where it is from; only one of this host can be found."""
    for folder, origin in ((settings().sounds_dir, Origin.FOLDER), (BUILT_IN, Origin.BUILT_IN)):
        path = folder / language / f"{name}.wav" if folder else None
        if path is not None and path.is_file():
            return path, origin
    return None, Origin.MISSING


def set_custom(name: str, language: str, upload: IO[bytes], *, actor: str) -> CustomPrompt:
    """Lay a WAV, MP3, Ogg or FLAC file over a prompt.

    Raises NotFound, Invalid with a sentence for the field `sound`, and Unavailable where the store does not answer.
    """
    _known(name, language)
    made = uploads.take(
        upload,
        f"prompts/{language}/{new_id()}.wav",
        field="sound",
        what="A prompt",
        longest_seconds=LONGEST_SECONDS,
        metadata={"name": name, "language": language},
    )
    prompt = CustomPrompt(name, language, made.key, made.sha256, utc_now())
    old_key = _replace(prompt, made.size, actor)
    if old_key:
        uploads.remove(old_key)
    return prompt


def remove_custom(name: str, language: str, *, actor: str) -> None:
    """Let the default prompt play again; harmless where it does. NotFound."""
    _known(name, language)
    with writing():
        row = _row(name, language)
        if row is None:
            return
        key = row.storage_key
        db.session.delete(row)
        audit.record(actor, "prompt.remove", row.id, f"{language}/{name}")
    uploads.remove(key)


def _replace(prompt: CustomPrompt, size: int, actor: str) -> str | None:
    """Make this the custom prompt; the key of the audio that nobody needs any more."""
    for attempt in range(TRIES):
        try:
            with writing():
                row = _row(prompt.name, prompt.language)
                old_key = row.storage_key if row else None
                row = row or Prompt(name=prompt.name, language=prompt.language)
                row.storage_key, row.size, row.sha256 = prompt.storage_key, size, prompt.sha256
                row.created_at = prompt.created_at
                db.session.add(row)
                db.session.flush()
                audit.record(actor, "prompt.set", row.id, f"{prompt.language}/{prompt.name}")
            return old_key
        except IntegrityError:
            # Two people, one prompt, the same moment: now there is a row to lock.
            if attempt + 1 == TRIES:
                raise
    raise AssertionError("not reached")


def _row(name: str, language: str) -> Prompt | None:
    """The row, locked until the transaction ends."""
    query = select(Prompt).where(Prompt.name == name, Prompt.language == language)
    return db.session.scalar(query.with_for_update())


def _known(name: str, language: str) -> None:
    if language not in get(name).texts:
        raise NotFound("There is no such prompt in this language.")
