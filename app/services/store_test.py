"""Does the store work? A small object is written, read and deleted, as recordings are."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.config import Settings, SettingsError
from app.services.store_folder import open_to_change
from app.storage import Store, StoreError, open_store

SIZE = 1000
PART = (300, 700)
FOLDER = "doctor"


@dataclass(frozen=True)
class Report:
    """What came of it. done: the steps that worked. step: the one that did not, empty where all worked.

    said: why, in a sentence without a full stop; advice: what to do. Neither holds a secret.
    """

    kind: str
    done: tuple[str, ...]
    step: str = ""
    said: str = ""
    advice: str = ""

    @property
    def works(self) -> bool:
        return not self.step

    @property
    def sentence(self) -> str:
        """All of it but the advice, without a full stop."""
        if self.works:
            return f"{self.kind}: written, read and deleted"
        return f"{self.kind}: the step {self.step!r} failed: {self.said}"


class _Different(Exception):
    """The store gave back other bytes."""


def try_store(settings: Settings) -> Report:
    """Write, read a part of, and delete an object of its own; it takes a minute at most where the store is away."""
    kind = settings.storage.type
    done: list[str] = []
    content = secrets.token_bytes(SIZE)
    key = f"{FOLDER}/{secrets.token_hex(8)}"
    try:
        store = open_store(settings)
    except SettingsError as error:
        return Report(kind, (), "settings", str(error), "Correct [voicemail.storage]")
    for step, act in _steps(settings, store, key, content):
        try:
            act()
        except _Different:
            failed = Report(kind, tuple(done), step, "the store gives back other bytes", "Look at the store itself")
        except StoreError as error:
            advice = error.advice or "Look at [voicemail.storage] and the rights there"
            failed = Report(kind, tuple(done), step, str(error), advice)
        except OSError as error:
            failed = Report(kind, tuple(done), step, error.strerror or "no file can be made", "Make room in /tmp")
        else:
            done.append(step)
            continue
        if done and step != "delete":
            _tidy(store, key)
        return failed
    return Report(kind, tuple(done))


def _steps(settings: Settings, store: Store, key: str, content: bytes) -> tuple[tuple[str, Callable[[], None]], ...]:
    digest = hashlib.sha256(content).hexdigest()

    def write() -> None:
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            open_to_change(settings).put(key, Path(file.name), sha256=digest, metadata={"what": "a test of the store"})

    def read() -> None:
        if b"".join(store.open(key, SIZE).blocks(*PART)) != content[slice(*PART)]:
            raise _Different

    def find() -> None:
        if key not in store.list(key):
            raise _Different

    def delete() -> None:
        store.delete(key)
        if store.stat(key) is not None:
            raise _Different

    return (("write", write), ("read a range", read), ("list", find), ("delete", delete))


def _tidy(store: Store, key: str) -> None:
    from contextlib import suppress

    with suppress(StoreError, OSError):
        store.delete(key)
