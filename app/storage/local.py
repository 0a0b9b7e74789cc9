"""The store in a folder of this host, or of a file system that all hosts share.

FOLDER/objects/KEY is the object, FOLDER/facts/KEY.json what is known of it, FOLDER/parts what is being
written. An object appears by one rename, after its bytes and its facts are on disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from app.storage.base import BLOCK_BYTES, AudioSource, ObjectFacts, StoreError, WrongContent
from app.storage.keys import checked

# A part older than this was left by a process that died.
STALE_PART_SECONDS = 3600
# Made with the first object: without it, the folder is empty, or another's.
OBJECTS = "objects"


class LocalStore:
    """Objects as files; see Store. Folders and files are for the service's own user only."""

    def __init__(self, folder: Path) -> None:
        self._objects, self._facts, self._parts = folder / OBJECTS, folder / "facts", folder / "parts"
        self._folder = folder

    def put(
        self, key: str, path: Path, *, sha256: str, content_type: str = "audio/wav", metadata: Mapping[str, str]
    ) -> None:
        """See Store.put. On disk (fsync of file and folder) when it returns."""
        target = self._objects / checked(key)
        try:
            with open(path, "rb") as source:
                size = os.fstat(source.fileno()).st_size
                facts = {"size": size, "sha256": sha256, "content_type": content_type, "metadata": dict(metadata)}
                text = json.dumps(facts, ensure_ascii=False, indent=1).encode()
                with self._part(iter(lambda: source.read(BLOCK_BYTES), b""), sha256) as part:
                    with self._part([text]) as facts_part:
                        _publish(facts_part, self._facts / f"{key}.json")
                    _publish(part, target)
        except FileNotFoundError:
            if not path.exists():
                raise
            raise StoreError("the store's folder changed while an object was written") from None
        except OSError as error:
            raise StoreError(f"the store's folder {self._folder} cannot be written: {error.strerror}") from error
        if target.stat().st_size != size:
            raise StoreError("the stored object has another size than the file")

    def open(self, key: str, size: int | None = None) -> AudioSource:
        """See Store.open. The size is read from the disk, which costs nothing."""
        path = self._objects / checked(key)
        facts = self.stat(key)
        return AudioSource.of_file(path, facts.sha256 if facts else None)

    def stat(self, key: str) -> ObjectFacts | None:
        """See Store.stat."""
        try:
            size = os.stat(self._objects / checked(key)).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"the store's folder {self._folder} cannot be read: {error.strerror}") from error
        try:
            facts = json.loads((self._facts / f"{key}.json").read_text(encoding="utf-8"))
            return ObjectFacts(size, facts["sha256"], facts["content_type"], facts["metadata"])
        except (OSError, ValueError, KeyError, TypeError):
            return ObjectFacts(size, None, "application/octet-stream", {})

    def delete(self, key: str) -> None:
        """See Store.delete. The object goes first: facts without an object are nothing."""
        checked(key)
        for path in (self._objects / key, self._facts / f"{key}.json"):
            try:
                path.unlink()
                _sync_folder(path.parent)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise StoreError(f"the object cannot be removed: {error.strerror}") from error

    def list(self, prefix: str = "") -> Iterator[str]:
        """See Store.list."""
        # Down to the last whole folder of the prefix; a prefix that leads elsewhere has no keys.
        folder = prefix.rpartition("/")[0]
        root = self._objects / checked(folder) if folder else self._objects
        try:
            for path in _files(str(root)):
                key = path[len(str(self._objects)) + 1 :]
                if key.startswith(prefix):
                    yield key
        except OSError as error:
            raise StoreError(f"the store's folder {self._folder} cannot be read: {error.strerror}") from error

    def presigned_url(self, key: str, seconds: int) -> str | None:
        """None: files have no address."""
        checked(key)
        return None

    @contextmanager
    def _part(self, blocks: Iterable[bytes], sha256: str | None = None) -> Iterator[Path]:
        """A file that is whole and on disk, but has no name yet; WrongContent where its bytes are not the hash's."""
        _make_folder(self._parts)
        self._sweep()
        part = self._parts / f"{uuid.uuid4().hex}.part"
        digest = hashlib.sha256()
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as out:
                for block in blocks:
                    digest.update(block)
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
            if sha256 is not None and digest.hexdigest() != sha256:
                raise WrongContent("the file is not what its hash says")
            yield part
        finally:
            part.unlink(missing_ok=True)

    def _sweep(self) -> None:
        with suppress(OSError), os.scandir(self._parts) as entries:
            for entry in entries:
                if time.time() - entry.stat().st_mtime > STALE_PART_SECONDS:
                    os.unlink(entry.path)


def _publish(part: Path, target: Path) -> None:
    _make_folder(target.parent)
    os.rename(part, target)
    _sync_folder(target.parent)


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each on disk before the next."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: str) -> Iterator[str]:
    """All files in a folder and those within. No list of them is made: a mailbox may have very many."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.is_file():
                yield entry.path
