"""What stores behind a network have in common: keys, checks before and after an upload, ranges, errors in words."""

from __future__ import annotations

import base64
import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from app.config import StorageSettings
from app.storage.base import BLOCK_BYTES, AudioSource, MissingObject, ObjectFacts, StoreError, WrongContent
from app.storage.keys import checked
from app.storage.metadata import decoded, encoded

CONNECT_SECONDS, READ_SECONDS = 5, 15
ATTEMPTS = 3
PART_BYTES = 8 * 1024 * 1024
CHANGED = "the spool file changed while it was uploaded"
MISSING = "the store does not have this recording"


@dataclass(frozen=True)
class Upload:
    """A file on its way to a store. file: at its start. md5: of all of it, in Base64 as Content-MD5 has it."""

    file: IO[bytes]
    size: int
    md5: str
    content_type: str
    metadata: Mapping[str, str]

    def parts(self, part_bytes: int) -> Iterator[tuple[bytes, str]]:
        """The file in parts, each with its Content-MD5; WrongContent where the file is not what it was."""
        whole = hashlib.md5(usedforsecurity=False)
        while part := self.file.read(part_bytes):
            whole.update(part)
            yield part, md5_of(part)
        if base64.b64encode(whole.digest()).decode() != self.md5:
            raise WrongContent(CHANGED)


class RemoteStore(ABC):
    """See Store. One object serves all threads; a client is made at the first use.

    Subclasses speak with the store in plain calls, and say what its errors mean.
    """

    first_window: int | None = None
    """Bytes of the first request of a reading, where the client cannot stream; None: one request for all of it."""
    window = 4 * 1024 * 1024

    def __init__(self, settings: StorageSettings, part_bytes: int = PART_BYTES) -> None:
        self._settings, self._bucket, self._part_bytes = settings, settings.bucket, part_bytes
        prefix = settings.prefix.strip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._lock = threading.Lock()
        self._made: Any = None

    def put(
        self, key: str, path: Path, *, sha256: str, content_type: str = "audio/wav", metadata: Mapping[str, str]
    ) -> None:
        """See Store.put. The store checks each part by its MD5, and is asked at the end what it has."""
        name = self._name(key)
        with path.open("rb") as file:
            size, md5 = _examined(file, sha256)
            file.seek(0)
            with self._in_words():
                self._upload(name, Upload(file, size, md5, content_type, encoded(metadata, sha256)))
        there = self.stat(key)
        if there is None or (there.size, there.sha256) != (size, sha256):
            raise StoreError("the store has other bytes than it was given", "It is tried again")

    def open(self, key: str, size: int | None = None) -> AudioSource:
        """See Store.open."""
        name, sha256 = self._name(key), None
        if size is None:
            facts = self.stat(key)
            if facts is None:
                raise MissingObject(MISSING)
            size, sha256 = facts.size, facts.sha256
        whole = size
        return AudioSource(whole, sha256, lambda start, end: self._read(name, start, min(end, whole)))

    def stat(self, key: str) -> ObjectFacts | None:
        """See Store.stat."""
        name = self._name(key)
        with self._in_words():
            facts = self._head(name)
            if facts is None:
                # "Not found" may be said of the bucket too, and then nothing is known of the object.
                self._ask()
            return facts

    def delete(self, key: str) -> None:
        """See Store.delete."""
        name = self._name(key)
        with self._in_words():
            self._remove(name)

    def list(self, prefix: str = "") -> Iterator[str]:
        """See Store.list."""
        with self._in_words():
            for name in self._names(self._prefix + prefix):
                yield name.removeprefix(self._prefix)

    def presigned_url(self, key: str, seconds: int) -> str | None:
        """See Store.presigned_url. Nothing is asked of the store."""
        name = self._name(key)
        with self._in_words():
            return self._sign(name, seconds)

    @property
    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._connect()
            return self._made

    def _name(self, key: str) -> str:
        return self._prefix + checked(key)

    def _read(self, name: str, start: int, end: int) -> Iterator[bytes]:
        """Bytes start to end; the first request is made at once, so that what is missing is told now."""
        if start >= end:
            return iter(())
        return self._go_on(name, start, end, self._begin(name, start, end))

    def _begin(self, name: str, start: int, end: int, window: int | None = None) -> Iterator[bytes]:
        window = window or self.first_window
        with self._in_words():
            blocks = self._get(name, start, min(end, start + window) if window else end)
        if blocks is None:
            raise MissingObject(MISSING)
        return blocks

    def _go_on(self, name: str, start: int, end: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Hand on blocks; a connection that breaks is taken up where it broke, unless nothing more comes."""
        failures = 0
        while True:
            before = start
            try:
                with self._in_words():
                    for block in blocks:
                        # Some servers send more than the range that was asked for.
                        block = block[: end - start]
                        start += len(block)
                        yield block
                        if start >= end:
                            return
            except StoreError:
                failures += 1
                if failures >= ATTEMPTS:
                    raise
            if start >= end:
                return
            if start == before:
                failures += 1
                if failures >= ATTEMPTS:
                    raise StoreError("the store sends less than the recording has")
            blocks = self._begin(name, start, end, self.window if self.first_window else None)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Errors of the client become StoreError; their own text may hold addresses with signatures."""
        try:
            yield
        except StoreError:
            raise
        except self._errors() as error:
            raise self._told(error) from None

    @abstractmethod
    def _connect(self) -> Any:
        """A client; nothing is asked of the store."""

    @abstractmethod
    def _errors(self) -> tuple[type[Exception], ...]:
        """What the client may raise."""

    @abstractmethod
    def _told(self, error: Exception) -> StoreError:
        """What an error means."""

    @abstractmethod
    def _ask(self) -> None:
        """Ask something of the bucket that anybody may who may use it; its error says what is wrong."""

    @abstractmethod
    def _upload(self, name: str, upload: Upload) -> None:
        """Make the object at once as a whole, or not at all."""

    @abstractmethod
    def _head(self, name: str) -> ObjectFacts | None:
        """What the store knows of an object; None where it is not found, or the bucket is not."""

    @abstractmethod
    def _get(self, name: str, start: int, end: int) -> Iterator[bytes] | None:
        """Bytes start to end, asked for before this returns; None where there is no such object."""

    @abstractmethod
    def _remove(self, name: str) -> None:
        """Remove an object, if it is there."""

    @abstractmethod
    def _names(self, prefix: str) -> Iterator[str]:
        """Names of objects."""

    @abstractmethod
    def _sign(self, name: str, seconds: int) -> str | None:
        """An address with a signature."""


def facts_of(size: int, content_type: str | None, metadata: Mapping[str, str] | None) -> ObjectFacts:
    """Facts from what a store answers."""
    sha256, texts = decoded(metadata or {})
    return ObjectFacts(size, sha256, content_type or "application/octet-stream", texts)


def md5_of(content: bytes) -> str:
    """Content-MD5 (RFC 1864): the digest in Base64."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _examined(file: IO[bytes], sha256: str) -> tuple[int, str]:
    """Size and Content-MD5 of a file; WrongContent where its sha256 is another."""
    strong, weak, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    while block := file.read(BLOCK_BYTES):
        strong.update(block)
        weak.update(block)
        size += len(block)
    if strong.hexdigest() != sha256:
        raise WrongContent("the file is not what its hash says")
    return size, base64.b64encode(weak.digest()).decode()
