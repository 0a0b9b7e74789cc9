"""Where recordings and greetings are kept for good: one small protocol, one file a kind of store."""

from __future__ import annotations

from app.config import Settings, SettingsError
from app.storage.base import AudioSource, MissingObject, Store, StoreError, WrongContent
from app.storage.keys import message_key
from app.storage.local import LocalStore

__all__ = ["AudioSource", "MissingObject", "Store", "StoreError", "WrongContent", "message_key", "open_store"]


def open_store(settings: Settings) -> Store:
    """The store that `storage.type` names; SettingsError for one that this version does not have."""
    if settings.storage.type == "local":
        return LocalStore(settings.storage.folder)
    raise SettingsError("storage.type", f"{settings.storage.type} comes in a later version; until then it is local")
