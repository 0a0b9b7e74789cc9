"""Names of objects: relative, of harmless characters, never out of their folder on any store."""

from __future__ import annotations

import re

from app.storage.base import StoreError

LONGEST_KEY = 200
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


def message_key(mailbox_id: str, message_id: str) -> str:
    """The key of a message's recording; the same at every try, so that an upload that runs twice makes one object."""
    return f"messages/{mailbox_id}/{message_id}.wav"


def recording_key(sid: str) -> str:
    """The key of a recording of a programmed call; the same at every try."""
    return f"recordings/{sid}.wav"


def checked(key: str) -> str:
    """The key itself; StoreError for one that is empty, too long, absolute, or has strange parts."""
    if len(key) > LONGEST_KEY or not all(_PART.fullmatch(part) for part in key.split("/")):
        raise StoreError("not a key of the store")
    return key
