"""What every store can do, and what it hands out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

BLOCK_BYTES = 64 * 1024


class StoreError(Exception):
    """The store did not do what it was asked; trying again may help.

    str() is one sentence without a full stop and without a secret. advice: what a person can do, may be empty.
    """

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


class MissingObject(StoreError):
    """The store answered, and has nothing under this key."""


class WrongContent(StoreError):
    """The file that was to be kept has another hash than the caller says; trying again will not help."""


@dataclass(frozen=True)
class AudioSource:
    """Audio that can be read from any byte on, as HTTP ranges need it.

    size: bytes. sha256: lower-case hex of the whole, None where it is not known.
    reader(start, end): blocks of bytes start to end, end exclusive.
    """

    size: int
    sha256: str | None
    reader: Callable[[int, int], Iterator[bytes]]

    def blocks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Bytes start to end (exclusive; None: to the last), in blocks; StoreError where they cannot be read."""
        return self.reader(max(start, 0), self.size if end is None else min(end, self.size))

    @classmethod
    def of_file(cls, path: Path, sha256: str | None = None) -> AudioSource:
        """A file of this host; MissingObject where there is none."""
        return cls(_size_of(path), sha256, lambda start, end: read_file(path, start, end))


class Store(Protocol):
    """A place for objects by key. A key is what app/storage/keys.py lets pass; all errors are StoreError."""

    def put(
        self, key: str, path: Path, *, sha256: str, content_type: str = "audio/wav", metadata: Mapping[str, str]
    ) -> None:
        """Keep a file under a key; returns only when the store has confirmed its size and hash.

        A second call with the same file changes nothing. FileNotFoundError: there is no such file;
        WrongContent: its bytes are not those of the hash.
        metadata: enough to make the object's row again.
        """

    def open(self, key: str, size: int | None = None) -> AudioSource:
        """The object's audio; MissingObject where there is none.

        size: its bytes, where the caller knows them. A remote store is then asked nothing before the first block is
        wanted, and it is the reading that raises MissingObject.
        """

    def stat(self, key: str) -> ObjectFacts | None:
        """Size, hash and metadata of an object; None where there is none."""

    def delete(self, key: str) -> None:
        """Remove an object and what is known of it; nothing happens where there is none."""

    def list(self, prefix: str = "") -> Iterator[str]:
        """The keys that begin with a text, in no order; asked for as they are consumed."""

    def presigned_url(self, key: str, seconds: int) -> str | None:
        """An address from which anybody may get the object for so long; None where the store has none to give."""


@dataclass(frozen=True)
class ObjectFacts:
    """What a store knows of an object; sha256 None where its metadata was lost."""

    size: int
    sha256: str | None
    content_type: str
    metadata: Mapping[str, str]


def read_file(path: Path, start: int, end: int) -> Iterator[bytes]:
    """Blocks of a file; it is opened at once, so that a delete during the reading does no harm."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise MissingObject("the audio is no longer there") from None
    except OSError as error:
        raise StoreError(f"the audio cannot be read: {error.strerror}") from error
    return _blocks(file, start, end)


def _blocks(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        left = end - start
        while left > 0 and (block := file.read(min(BLOCK_BYTES, left))):
            left -= len(block)
            yield block


def _size_of(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        raise MissingObject("the audio is not there") from None
    except OSError as error:
        raise StoreError(f"the audio cannot be read: {error.strerror}") from error
