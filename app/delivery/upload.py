"""Upload: a recording moves from the spool of its host to the store.

It may run twice, or be killed at any line. The order is: object confirmed by the store, then one commit that
says so, then the spool files go. What was purged meanwhile leaves no object behind. It is the recording of a message,
or that of a programmed call.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, select, update

from app.config import Settings
from app.delivery.errors import PermanentError, TemporaryError, Withdrawn
from app.extensions import db
from app.models import Message, Recording
from app.services import after_mailing
from app.services.outbox import DONE, SKIPPED, Claim, Outcome
from app.services.spool import remove_spool
from app.services.store_folder import open_to_change
from app.storage import Store, StoreError, WrongContent, cache, message_key, recording_key

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Facts:
    """A recording as it was when the upload began; no transaction is open while bytes move.

    what: message or recording; id: of its row; take_id: of its files in the spool.
    """

    what: str
    id: str
    take_id: str
    key: str
    size: int
    sha256: str
    content_type: str
    metadata: dict[str, str]


def deliver(claim: Claim, settings: Settings) -> Outcome:
    """Upload the recording of a message, or of a programmed call. TemporaryError, PermanentError.

    The outcome's changes raise Withdrawn where it was purged meanwhile.
    """
    found = _find(claim)
    if found is None:
        return Outcome(SKIPPED, error=f"the {_what(claim)} is gone")
    facts = _facts_of_recording(found) if isinstance(found, Recording) else _facts_of_message(found)
    purged, stored, host = found.purged_at, found.storage_key, found.spool_host
    db.session.rollback()
    try:
        store = open_to_change(settings)
        if purged:
            store.delete(facts.key)
            remove_spool(settings, facts.take_id)
            return Outcome(SKIPPED, error=f"the {facts.what} was purged")
        if stored:
            return Outcome(DONE)
        if host != settings.host_name:
            raise TemporaryError(f"the recording is in the spool of {host}, this is {settings.host_name}")
        _put(store, facts, settings.spool_dir / f"{facts.take_id}.wav")
    except WrongContent as error:
        raise PermanentError(f"the spool file is damaged: {error}") from error
    except StoreError as error:
        advice = f". {error.advice}." if error.advice else ""
        raise TemporaryError(f"the store: {error}{advice}") from error
    except OSError as error:
        raise TemporaryError(f"the store: {error}") from error
    return Outcome(DONE, changes=lambda: _say_stored(facts), after=lambda counted: _clean_up(facts, settings, counted))


def _what(claim: Claim) -> str:
    return "recording" if claim.recording_sid else "message"


def _find(claim: Claim) -> Message | Recording | None:
    if claim.recording_sid:
        return db.session.get(Recording, claim.recording_sid)
    return db.session.get(Message, claim.message_id)


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
    """Part of the outcome's commit; Withdrawn where it was purged meanwhile. Mail may have waited for a message."""
    table, mine = _table(facts)
    said = db.session.execute(
        update(table)
        .where(mine, table.purged_at.is_(None))
        .values(storage_key=facts.key, spool_host=None)
        .execution_options(synchronize_session=False)
    )
    if cast("CursorResult[Any]", said).rowcount != 1:
        raise Withdrawn(f"the {facts.what} was purged during its upload")
    if table is Message:
        after_mailing.settle(facts.id)


def _table(facts: _Facts) -> tuple[type[Message] | type[Recording], ColumnElement[bool]]:
    """Where its row is, and which one."""
    if facts.what == "recording":
        return Recording, Recording.sid == facts.id
    return Message, Message.id == facts.id


def _clean_up(facts: _Facts, settings: Settings, counted: bool) -> None:
    """Remove the spool files of an upload that counted, and the object of one that came after a purge."""
    if counted:
        # Who listens soon after finds it here; the spool file is all that there is to take.
        cache.keep(settings, facts.key, settings.spool_dir / f"{facts.take_id}.wav")
        remove_spool(settings, facts.take_id)
        return
    table, mine = _table(facts)
    gone = db.session.scalar(select(table.purged_at.is_(None)).where(mine)) is not True
    db.session.rollback()
    if gone:
        open_to_change(settings).delete(facts.key)
        cache.forget(settings, facts.key)


def _facts_of_message(message: Message) -> _Facts:
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
    return _Facts("message", message.id, message.id, key, message.size, message.sha256, message.content_type, metadata)


def _facts_of_recording(recording: Recording) -> _Facts:
    metadata = {
        "sid": recording.sid,
        "call_sid": recording.call_sid,
        "take_id": recording.take_id or "",
        "source": recording.source,
        "started_at": recording.started_at.isoformat(),
        "duration": f"{recording.duration or 0.0:.3f}",
    }
    return _Facts(
        "recording",
        recording.sid,
        recording.take_id or "",
        recording_key(recording.sid),
        recording.size or 0,
        recording.sha256 or "",
        "audio/wav",
        metadata,
    )
