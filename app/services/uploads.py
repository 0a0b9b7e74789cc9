"""Sound files that people send: decoded and written anew for the telephone, then stored; never kept as they came."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app.audio import to_telephone
from app.decoding import TooLong, Unreadable
from app.errors import Invalid, NotFound, Unavailable
from app.services.context import settings
from app.services.store_folder import open_to_change
from app.storage import AudioSource, MissingObject, StoreError, open_store

log = logging.getLogger(__name__)
AWAY = "The store does not answer; try again in a moment."
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Stored:
    """A sound that the store has under `key`. size: bytes; duration: seconds."""

    key: str
    size: int
    sha256: str
    duration: float


def take(
    upload: IO[bytes], key: str, *, field: str, what: str, longest_seconds: float, metadata: Mapping[str, str]
) -> Stored:
    """Put a WAV, MP3, Ogg or FLAC file into the store as 8 kHz, 16-bit, mono WAV.

    `what` it is stands in the sentence of one that is too long ("A greeting"). The key must be one that no row names
    yet: who replaces a sound removes the old object, which nobody may be about to name again.
    Raises Invalid with a sentence for `field`, and Unavailable where the store does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="upload-") as folder:
        sent, made = Path(folder) / "sent", Path(folder) / "made.wav"
        _receive(upload, sent, field)
        try:
            duration = to_telephone(sent, made, longest_seconds, what)
        except (Unreadable, TooLong) as error:
            raise Invalid({field: str(error)}) from None
        return Stored(key, made.stat().st_size, _put(key, made, metadata), duration)


def open_stored(key: str, sha256: str, what: str) -> AudioSource:
    """Audio of the store; NotFound and Unavailable in sentences about `what` it is ("The greeting")."""
    try:
        source = open_store(settings()).open(key)
    except MissingObject:
        raise NotFound(f"{what} is not in the store.") from None
    except StoreError as error:
        log.warning("%s cannot be read: %s", key, error)
        raise Unavailable(AWAY) from None
    return AudioSource(source.size, sha256, source.reader)


def remove(key: str) -> None:
    """Remove an object that no row names any more; a leftover in the store does no harm."""
    try:
        open_to_change(settings()).delete(key)
    except (StoreError, OSError) as error:
        log.warning("%s stays in the store: %s", key, error)


def _receive(upload: IO[bytes], path: Path, field: str) -> None:
    """Write the upload to a file, no more of it than allowed."""
    limit, size = settings().limits.upload_bytes, 0
    with path.open("wb") as out:
        while block := upload.read(BLOCK_BYTES):
            size += len(block)
            if size > limit:
                raise Invalid({field: f"The file is larger than {limit // 1_000_000} MB."})
            out.write(block)
    if size == 0:
        raise Invalid({field: "The file is empty."})


def _put(key: str, path: Path, metadata: Mapping[str, str]) -> str:
    """Put the audio into the store before the database knows it; its sha256."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        open_to_change(settings()).put(key, path, sha256=sha256, metadata=metadata)
    except (StoreError, OSError) as error:
        log.warning("%s cannot be stored: %s", key, error)
        raise Unavailable(AWAY) from None
    return sha256
