"""Greetings of mailboxes: what is uploaded is decoded and written anew for the telephone, never kept as it was sent."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from pathlib import Path
from typing import IO

from sqlalchemy import select

from app.audio import TooLong, Unreadable, to_telephone
from app.database import writing
from app.errors import Invalid, NotFound, Unavailable
from app.extensions import db
from app.models import Greeting
from app.models.base import new_id
from app.services import audit, mailboxes
from app.services.context import settings
from app.storage import AudioSource, MissingObject, StoreError, open_store

log = logging.getLogger(__name__)
KIND = "unavailable"
BLOCK_BYTES = 1 << 16


def set_greeting(extension: str, upload: IO[bytes], *, actor: str) -> Greeting:
    """Take a WAV, MP3, Ogg or FLAC file as the greeting of a mailbox.

    Raises NotFound, Invalid with a sentence for the field `greeting`, and Unavailable where the store does not answer.
    """
    mailbox_id = mailboxes.get(extension).id
    db.session.rollback()
    with tempfile.TemporaryDirectory(prefix="greeting-") as folder:
        sent, made = Path(folder) / "sent", Path(folder) / "made.wav"
        _receive(upload, sent)
        try:
            duration = to_telephone(sent, made, settings().limits.greeting_seconds)
        except (Unreadable, TooLong) as error:
            raise Invalid({"greeting": str(error)}) from None
        key, sha256 = _store(mailbox_id, made)
        size = made.stat().st_size
    greeting = Greeting(kind=KIND, storage_key=key, size=size, sha256=sha256, duration=duration)
    try:
        old_key = _replace(extension, greeting, actor)
    except NotFound:
        # The mailbox was deleted meanwhile.
        _delete(key)
        raise
    if old_key:
        _delete(old_key)
    return greeting


def find(extension: str) -> Greeting | None:
    """The greeting of a mailbox, or None where the default one plays; NotFound."""
    box = mailboxes.get(extension)
    return next((greeting for greeting in box.greetings if greeting.kind == KIND), None)


def open_greeting(greeting: Greeting) -> AudioSource:
    """The greeting's audio, WAV; Unavailable where the store does not answer."""
    try:
        source = open_store(settings()).open(greeting.storage_key)
    except MissingObject:
        raise NotFound("The greeting is not in the store.") from None
    except StoreError as error:
        log.warning("greeting=%s cannot be read: %s", greeting.id, error)
        raise Unavailable("The store does not answer; try again in a moment.") from None
    return AudioSource(source.size, greeting.sha256, source.reader)


def remove_greeting(extension: str, *, actor: str) -> None:
    """Let the default greeting play again; harmless where it does. NotFound."""
    with writing():
        mailboxes.get(extension, locked=True)
        greeting = find(extension)
        if greeting is None:
            return
        key = greeting.storage_key
        db.session.delete(greeting)
        audit.record(actor, "greeting.remove", greeting.mailbox_id, extension)
    _delete(key)


def _receive(upload: IO[bytes], path: Path) -> None:
    """Write the upload to a file, no more of it than allowed."""
    limit, size = settings().limits.upload_bytes, 0
    with path.open("wb") as out:
        while block := upload.read(BLOCK_BYTES):
            size += len(block)
            if size > limit:
                raise Invalid({"greeting": f"The file is larger than {limit // 1_000_000} MB."})
            out.write(block)
    if size == 0:
        raise Invalid({"greeting": "The file is empty."})


def _replace(extension: str, greeting: Greeting, actor: str) -> str | None:
    """Make this the mailbox's greeting; the key of the audio that nobody needs any more."""
    with writing():
        # Two uploads for one mailbox take turns.
        box = mailboxes.get(extension, locked=True)
        old = db.session.scalar(select(Greeting).where(Greeting.mailbox_id == box.id, Greeting.kind == KIND))
        old_key = old.storage_key if old else None
        if old is not None:
            db.session.delete(old)
            db.session.flush()
        greeting.mailbox_id = box.id
        db.session.add(greeting)
        audit.record(actor, "greeting.set", box.id, extension)
    return old_key


def _store(mailbox_id: str, path: Path) -> tuple[str, str]:
    """Put the audio into the store before the database knows it: (key, sha256)."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    # A key of its own: who replaces a greeting removes the old object, which nobody may be about to name again.
    key = f"greetings/{mailbox_id}/{new_id()}.wav"
    try:
        open_store(settings()).put(key, path, sha256=sha256, metadata={"mailbox_id": mailbox_id, "kind": KIND})
    except (StoreError, OSError) as error:
        log.warning("mailbox=%s its greeting cannot be stored: %s", mailbox_id, error)
        raise Unavailable("The store does not answer; try again in a moment.") from None
    return key, sha256


def _delete(key: str) -> None:
    try:
        open_store(settings()).delete(key)
    except (StoreError, OSError) as error:
        # A leftover in the store does no harm.
        log.warning("%s stays in the store: %s", key, error)
