"""A local store whose disk is not mounted is away, and not empty.

Its folder is then the mount point, which would take recordings that nobody finds once the disk is back; and what is
purged meanwhile would come back with it. The folder of the objects is made with the first of them: where it is missing
though rows name objects, nothing is written or removed.
"""

from __future__ import annotations

from flask import has_app_context
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.config import Settings
from app.extensions import db
from app.models import Greeting, Message, Prompt, Recording
from app.storage import Store, StoreError, open_store
from app.storage.local import OBJECTS

NAMING = (Message.storage_key, Greeting.storage_key, Prompt.storage_key, Recording.storage_key)


def open_to_change(settings: Settings) -> Store:
    """The store, to write to or remove from; StoreError where its disk is not mounted. Ends what is only read."""
    store = open_store(settings)
    # Looked at again: another may have put the first object there, and named it, between the two.
    if not is_there(settings) and _is_named() and not is_there(settings):
        raise gone(settings)
    return store


def is_there(settings: Settings) -> bool:
    """Whether a local store has a folder of objects; True for others."""
    storage = settings.storage
    return storage.type != "local" or (storage.folder / OBJECTS).is_dir()


def gone(settings: Settings) -> StoreError:
    """What to say of a local store whose folder of objects is missing."""
    return StoreError(
        f"the store's folder {settings.storage.folder} holds no objects at all",
        f"See that its disk is mounted. Where the folder is new, copy the old one into it, or make {OBJECTS!r} in it",
    )


def _is_named() -> bool:
    """Whether a row names an object; StoreError where the database cannot say."""
    if not has_app_context():
        return False
    try:
        return any(db.session.scalar(select(key).where(key.is_not(None)).limit(1)) for key in NAMING)
    except SQLAlchemyError:
        raise StoreError("the store's folder is empty, and the database is away to say whether it should be") from None
    finally:
        db.session.rollback()
