"""The audio of what was recorded, a message or a recording of a call: from the store, else from this host's spool."""

from __future__ import annotations

import logging

from app.errors import Unavailable
from app.extensions import db
from app.models import Message, Recording
from app.services.context import settings
from app.services.spool import wav_of
from app.storage import AudioSource, MissingObject, StoreError, cache

log = logging.getLogger(__name__)
AWAY = "The recording is still on its way to the store; try again in a moment."


def open_audio(row: Message | Recording) -> AudioSource:
    """Its audio; Unavailable where neither store nor spool has it now."""
    for attempt in range(2):
        try:
            if row.storage_key is not None:
                return cache.open_audio(settings(), row.storage_key, size=row.size or 0, sha256=row.sha256 or "")
            take_id = row.id if isinstance(row, Message) else row.take_id
            if row.spool_host != settings().host_name or take_id is None:
                raise Unavailable(AWAY)
            return AudioSource.of_file(wav_of(settings(), take_id), row.sha256)
        except MissingObject:
            # The upload may have moved it a moment ago.
            db.session.refresh(row)
            if attempt:
                raise Unavailable("The recording cannot be found at the moment.", 30) from None
        except StoreError as error:
            name = f"message={row.id}" if isinstance(row, Message) else f"recording={row.sid}"
            log.warning("%s cannot be read: %s", name, error)
            raise Unavailable("The store does not answer; try again in a moment.") from None
    raise AssertionError("not reached")
