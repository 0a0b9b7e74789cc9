"""Sounds of the store beside the voice worker, with their payloads: who plays one only reads bytes."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from voice.prompts import prepare_payloads

LOCKS = 32
# A file that is being fetched, or was found a moment ago, is left alone.
YOUNG_SECONDS = 600.0


class Source(Protocol):
    """Where a sound comes from (app.storage.AudioSource)."""

    def blocks(self) -> Iterator[bytes]: ...


class SoundCache:
    """A folder of sounds by name. Safe from any thread, and beside other keepers of the same host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Twenty phones that want one message fetch it once.
        self._locks = [threading.Lock() for _ in range(LOCKS)]

    def fetch(self, name: str, sha256: str, open_source: Callable[[], Source]) -> Path:
        """The sound's file, fetched where it is not there yet.

        ValueError where it is no sound, or not the one of this hash; OSError, and whatever its source raises.
        """
        path = self._folder / f"{name}.wav"
        with self._locks[hash(name) % LOCKS]:
            if not path.exists():
                self._fetch(path, sha256, open_source())
            prepare_payloads(path)
        # It is in use: others go first.
        with suppress(FileNotFoundError):
            os.utime(path)
        return path

    def names(self) -> list[str]:
        """Names of the sounds that are here."""
        return [path.stem for path in self._paths(".wav")]

    def remove(self, name: str) -> None:
        """Remove a sound, if it is here."""
        for path in self._paths(""):
            if path.stem == name:
                path.unlink(missing_ok=True)

    def keep_only(self, paths: Iterable[str]) -> None:
        """Remove all other sounds, but those that came a moment ago: a keeper beside this one may need them."""
        wanted = set(paths)
        for path in self._paths(""):
            if str(path.with_suffix(".wav")) not in wanted and _age(path) >= YOUNG_SECONDS:
                path.unlink(missing_ok=True)

    def shrink(self, most_bytes: int, oldest_seconds: float) -> None:
        """Remove what nobody asked for in so many seconds, and the longest unused of what is above so many bytes."""
        families: dict[str, list[Path]] = {}
        for path in self._paths(""):
            families.setdefault(path.stem, []).append(path)
        used = 0
        for path in sorted(self._paths(".wav"), key=_age):
            family = families.get(path.stem, [path])
            used += sum(_size(each) for each in family)
            if _age(path) > oldest_seconds or (used > most_bytes and _age(path) >= YOUNG_SECONDS):
                for each in family:
                    each.unlink(missing_ok=True)
        for path in self._paths(".part"):
            if _age(path) >= YOUNG_SECONDS:
                path.unlink(missing_ok=True)

    def _paths(self, suffix: str) -> list[Path]:
        with suppress(FileNotFoundError):
            return [path for path in self._folder.iterdir() if path.name.endswith(suffix)]
        return []

    def _fetch(self, path: Path, sha256: str, source: Source) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Keepers beside this one may fetch it as well; each writes a file of its own.
        with tempfile.NamedTemporaryFile(dir=self._folder, suffix=".part", delete=False) as part:
            try:
                write(source, part, sha256)
                os.replace(part.name, path)
            except BaseException:
                os.unlink(part.name)
                raise


def write(source: Source, file: IO[bytes], sha256: str) -> None:
    """Write audio to a file that is on disk when this returns; ValueError where it is not what its hash says."""
    digest = hashlib.sha256()
    for block in source.blocks():
        digest.update(block)
        file.write(block)
    file.flush()
    os.fsync(file.fileno())
    if digest.hexdigest() != sha256:
        raise ValueError("the store gave something else than was stored")


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
