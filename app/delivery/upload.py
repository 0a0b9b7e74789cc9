"""Upload: a recording moves from the spool of its host to the store.

It may run twice, or be killed at any line. The order is: object confirmed by the store, then one commit that
says so, then the spool files go. What was purged meanwhile leaves no object behind.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sqlalchemy import CursorResult, update

from app.config import Settings
from app.delivery.errors import PermanentError, TemporaryError, Withdrawn
from app.extensions import db
from app.models import Message
from app.services import after_mailing
from app.services.outbox import DONE, SKIPPED, Claim, Outcome
from app.services.spool import remove_spool
from app.storage import Store, StoreError, WrongContent, cache, message_key, open_store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Facts:
    """A message as it was when the upload began; no transaction is open while bytes move."""

    id: str
    key: str
    size: int
    sha256: str
    content_type: str
    metadata: dict[str, str]


def deliver(claim: Claim, settings: Settings) -> Outcome:
    """Upload the recording of a message. TemporaryError, PermanentError.

    The outcome's changes raise Withdrawn where the message was purged meanwhile.
    """
    message = db.session.get(Message, claim.message_id)
    if message is None:
        return Outcome(SKIPPED, error="the message is gone")
    purged, stored, host, facts = message.purged_at, message.storage_key, message.spool_host, _facts_of(message)
    db.session.rollback()
    try:
        store = open_store(settings)
        if purged:
            store.delete(facts.key)
            remove_spool(settings, facts.id)
            return Outcome(SKIPPED, error="the message was purged")
        if stored:
            return Outcome(DONE)
        if host != settings.host_name:
            raise TemporaryError(f"the recording is in the spool of {host}, this is {settings.host_name}")
        _put(store, facts, settings.spool_dir / f"{facts.id}.wav")
    except WrongContent as error:
        raise PermanentError(f"the spool file is damaged: {error}") from error
    except (StoreError, OSError) as error:
        raise TemporaryError(f"the store: {error}") from error
    return Outcome(DONE, changes=lambda: _say_stored(facts), after=lambda counted: _clean_up(facts, settings, counted))


def _put(store: Store, facts: _Facts, path: Path) -> None:
    try:
        store.put(facts.key, path, sha256=facts.sha256, content_type=facts.content_type, metadata=facts.metadata)
    except FileNotFoundError:
        # An earlier run may have got this far. Else the file may yet come back, like a disk that was not mounted.
        if not _stored(store, facts):
            raise TemporaryError(f"the spool file {path.name} is missing and the store does not have it") from None


def _stored(store: Store, facts: _Facts) -> bool:
    """Whether the store has this very recording; its bytes are read where it does not know their hash."""
    there = store.stat(facts.key)
    if there is None or there.size != facts.size:
        return False
    if there.sha256 is not None:
        return there.sha256 == facts.sha256
    digest = hashlib.sha256()
    for block in store.open(facts.key).blocks():
        digest.update(block)
    return digest.hexdigest() == facts.sha256


def _say_stored(facts: _Facts) -> None:
    """Part of the outcome's commit; Withdrawn where the message was purged meanwhile. Mail may have waited for it."""
    said = db.session.execute(
        update(Message)
        .where(Message.id == facts.id, Message.purged_at.is_(None))
        .values(storage_key=facts.key, spool_host=None)
        .execution_options(synchronize_session=False)
    )
    if cast("CursorResult[Any]", said).rowcount != 1:
        raise Withdrawn("the message was purged during its upload")
    after_mailing.settle(facts.id)


def _clean_up(facts: _Facts, settings: Settings, counted: bool) -> None:
    """Remove the spool files of an upload that counted, and the object of one that came after a purge."""
    if counted:
        # Who listens soon after finds it here; the spool file is all that there is to take.
        cache.keep(settings, facts.key, settings.spool_dir / f"{facts.id}.wav")
        remove_spool(settings, facts.id)
        return
    message = db.session.get(Message, facts.id, populate_existing=True)
    gone = message is None or message.purged_at is not None
    db.session.rollback()
    if gone:
        open_store(settings).delete(facts.key)
        cache.forget(settings, facts.key)


def _facts_of(message: Message) -> _Facts:
    metadata = {
        "id": message.id,
        "mailbox_id": message.mailbox_id,
        "caller_number": message.caller_number,
        "caller_name": message.caller_name,
        "call_id": message.call_id,
        "received_at": message.received_at.isoformat(),
        "duration": f"{message.duration:.3f}",
        "urgent": "true" if message.urgent else "false",
    }
    key = message_key(message.mailbox_id, message.id)
    return _Facts(message.id, key, message.size, message.sha256, message.content_type, metadata)
