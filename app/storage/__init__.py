"""Where recordings and greetings are kept for good: one small protocol, one file a kind of store."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from app.config import Settings, SettingsError, StorageSettings
from app.storage.azure import AzureStore
from app.storage.base import AudioSource, MissingObject, ObjectFacts, Store, StoreError, WrongContent
from app.storage.gcs import GcsStore
from app.storage.keys import message_key, recording_key
from app.storage.local import LocalStore
from app.storage.s3 import S3Store

__all__ = [
    "AudioSource",
    "MissingObject",
    "ObjectFacts",
    "Store",
    "StoreError",
    "WrongContent",
    "is_remote",
    "message_key",
    "open_store",
    "recording_key",
]

KINDS: dict[str, Callable[[StorageSettings], Store]] = {
    "local": lambda storage: LocalStore(storage.folder),
    "s3": S3Store,
    "azure": AzureStore,
    "gcs": GcsStore,
    "gcp": GcsStore,
}

_open: dict[tuple[int, StorageSettings], Store] = {}
_lock = threading.Lock()


def open_store(settings: Settings) -> Store:
    """The store that `storage.type` names; SettingsError where a setting that it needs is missing.

    Nothing is connected before the first use. One store serves all threads of a process; a process that was forked
    gets its own, since two must not read from one connection.
    """
    wanted = (os.getpid(), settings.storage)
    with _lock:
        store = _open.get(wanted)
        if store is None:
            _check(settings.storage)
            store = _open[wanted] = KINDS[settings.storage.type](settings.storage)
        return store


def is_remote(settings: Settings) -> bool:
    """Whether each reading crosses a network."""
    return settings.storage.type != "local"


def _check(storage: StorageSettings) -> None:
    """SettingsError for what cannot work, told at the start and not at the first recording."""
    if storage.type == "local":
        return
    if not storage.bucket:
        raise SettingsError("storage.bucket", f"is needed where storage.type is {storage.type}")
    if storage.type == "s3" and bool(storage.access_key) != bool(storage.secret_key):
        missing = "secret_key" if storage.access_key else "access_key"
        raise SettingsError(f"storage.{missing}", "is missing: give both keys, or neither for the environment's own")
    if storage.type == "azure" and not storage.connection_string and not (storage.access_key and storage.secret_key):
        raise SettingsError(
            "storage.access_key", "the account and storage.secret_key, or storage.connection_string, are needed"
        )


# A lock that another thread held at the fork would never be released in the child.
def _renew() -> None:
    global _lock  # noqa: PLW0603 - the child's own
    _lock = threading.Lock()
    _open.clear()


os.register_at_fork(after_in_child=_renew)
