"""Recordings of a remote store that this host keeps at hand, so that playing and seeking start at once.

INSTANCE/cache/audio/XX/HASH is an object by the hash of its key. A recording comes in when it was uploaded from here,
or was read as a whole; the one that was not heard for longest goes when all are more than `storage.cache_bytes`.
Whatever is wrong with the cache, the store answers instead.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import IO

from app.config import Settings
from app.storage import AudioSource, StoreError, is_remote, open_store
from app.storage.base import BLOCK_BYTES

log = logging.getLogger(__name__)
PARTS = "parts"
STALE_PART_SECONDS = 3600
SWEEP_SECONDS = 5
LARGE_SHARE = 64
TOUCH_SECONDS = 60
REMEMBERED = 10_000
UNHEARD_SECONDS = 7 * 86400
"""What nobody heard for so long goes too: another host may have purged it."""

_whole: dict[str, tuple[int, int, int]] = {}
"""Files that were found to be what their hash says: inode, size, time of the last writing."""


def folder_of(settings: Settings) -> Path:
    """Where the cache is."""
    return settings.instance / "cache" / "audio"


def open_audio(settings: Settings, key: str, *, size: int, sha256: str) -> AudioSource:
    """An object whose size and hash the caller knows, from here or from the store.

    MissingObject and StoreError as Store.open() has them, with a remote store at the reading: a part of what is not
    here is one request.
    """
    store = open_store(settings)
    if not is_remote(settings):
        source = store.open(key)
        return AudioSource(source.size, sha256, source.reader)

    def read(start: int, end: int) -> Iterator[bytes]:
        if start >= end:
            return iter(())
        if file := _found(settings, key, size, sha256):
            return _blocks(file, start, end)
        blocks = store.open(key, size).blocks(start, end)
        return _kept(settings, key, sha256, blocks) if (start, end) == (0, size) else blocks

    return AudioSource(size, sha256, read)


def keep(settings: Settings, key: str, path: Path) -> None:
    """Take in the file that the store has just confirmed; call it before the file goes."""
    if not is_remote(settings):
        return
    try:
        size = path.stat().st_size
        if not _room(settings, size):
            return
        part = _part(settings)
        try:
            try:
                os.link(path, part)
            except OSError:
                shutil.copyfile(path, part)
            _publish(settings, key, part, size)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s is not kept at hand: %s", key, error.strerror)


def forget(settings: Settings, key: str) -> None:
    """Remove what is kept of an object. Call it after the store's delete(): what comes in meanwhile is removed too.

    Raises OSError.
    """
    _path(settings, key).unlink(missing_ok=True)


def sweep(settings: Settings) -> None:
    """Bring the cache down to its size, and remove what nobody heard for a week. Cheap; it may run at any time."""
    with suppress(OSError):
        _sweep(settings)


def _path(settings: Settings, key: str) -> Path:
    name = hashlib.sha256(key.encode()).hexdigest()
    return folder_of(settings) / name[:2] / name


def _found(settings: Settings, key: str, size: int, sha256: str) -> BufferedReader | None:
    """The file, open at its start, if it is here and is what it should be; else it goes."""
    path = _path(settings, key)
    try:
        file = path.open("rb")
    except OSError:
        return None
    with suppress(OSError):
        if _is_whole(file, size, sha256):
            # When it was heard last; the access time of a file system may be switched off.
            if time.time() - os.fstat(file.fileno()).st_mtime > TOUCH_SECONDS:
                os.utime(file.fileno())
                _whole[sha256] = _state(file)
            return file
    file.close()
    log.warning("%s is damaged in the cache, it is read anew", key)
    with suppress(OSError):
        path.unlink()
    return None


def _is_whole(file: BufferedReader, size: int, sha256: str) -> bool:
    """Whether the file is what the hash says; it is read once, not at each seek, as long as nobody writes to it."""
    state = _state(file)
    if state[1] != size:
        return False
    if _whole.get(sha256) != state:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            return False
        if len(_whole) >= REMEMBERED:
            _whole.clear()
        _whole[sha256] = state
    return True


def _state(file: IO[bytes]) -> tuple[int, int, int]:
    facts = os.fstat(file.fileno())
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def _blocks(file: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end and (block := file.read(min(BLOCK_BYTES, end - start))):
            start += len(block)
            yield block


def _kept(settings: Settings, key: str, sha256: str, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Hand on the blocks of a whole object and keep them, once all have come and are what the hash says."""
    part: Path | None = None
    out: IO[bytes] | None = None
    digest, size = hashlib.sha256(), 0
    try:
        for block in blocks:
            if part is None:
                part, out = _begin(settings)
            digest.update(block)
            size += len(block)
            out = _written(out, block)
            yield block
        if digest.hexdigest() != sha256:
            log.error("%s: the store has other bytes than were put there", key)
            raise StoreError("the store has other bytes than were put there", "Restore this object from a backup")
        if part is not None and out is not None:
            out.close()
            with suppress(OSError):
                if _room(settings, size):
                    _publish(settings, key, part, size)
    finally:
        if out is not None:
            with suppress(OSError):
                out.close()
        if part is not None:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _begin(settings: Settings) -> tuple[Path, IO[bytes] | None]:
    part = folder_of(settings) / PARTS
    try:
        if not _room(settings, 0):
            return part / "none", None
        part = _part(settings)
        return part, open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except OSError:
        return part / "none", None


def _written(out: IO[bytes] | None, block: bytes) -> IO[bytes] | None:
    """The file, or None from the moment on that the disk takes no more."""
    if out is None:
        return None
    try:
        out.write(block)
    except OSError:
        with suppress(OSError):
            out.close()
        return None
    return out


def _part(settings: Settings) -> Path:
    folder = folder_of(settings) / PARTS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / uuid.uuid4().hex


def _room(settings: Settings, size: int) -> bool:
    """Whether a file of so many bytes may come in; calls need the disk more than listeners do."""
    if not 0 <= size <= settings.storage.cache_bytes or not settings.storage.cache_bytes:
        return False
    folder = folder_of(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free - size > 2 * settings.limits.free_disk_bytes


def _publish(settings: Settings, key: str, part: Path, size: int) -> None:
    """Give a whole file its name, unless its object is gone by now; OSError."""
    target = _path(settings, key)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    os.utime(part)
    os.rename(part, target)
    # A purge deletes the object first and forgets then. Whoever does not see the one is seen by the other.
    try:
        gone = open_store(settings).stat(key) is None
    except StoreError:
        gone = True
    if gone:
        target.unlink(missing_ok=True)
        return
    stamp = folder_of(settings) / "swept"
    with suppress(FileNotFoundError):
        fresh = time.time() - stamp.stat().st_mtime < SWEEP_SECONDS
        if fresh and size * LARGE_SHARE < settings.storage.cache_bytes:
            return
    stamp.touch()
    _sweep(settings)


def _sweep(settings: Settings) -> None:
    now, total, found = time.time(), 0, []
    for folder in folder_of(settings).iterdir():
        if not folder.is_dir():
            continue
        limit = STALE_PART_SECONDS if folder.name == PARTS else UNHEARD_SECONDS
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    facts = entry.stat()
                    if now - facts.st_mtime > limit:
                        os.unlink(entry.path)
                    elif folder.name != PARTS:
                        total += facts.st_size
                        found.append((facts.st_mtime, facts.st_size, entry.path))
    for _, size, path in sorted(found):
        if total <= settings.storage.cache_bytes:
            return
        with suppress(FileNotFoundError):
            os.unlink(path)
        total -= size
