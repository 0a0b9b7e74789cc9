"""Greetings of mailboxes: what is uploaded is decoded and written anew for the telephone, never kept as it was sent."""

from __future__ import annotations

from typing import IO

from sqlalchemy import select

from app.database import writing
from app.errors import NotFound
from app.extensions import db
from app.models import Greeting
from app.models.base import new_id
from app.services import audit, mailboxes, uploads
from app.services.context import settings
from app.storage import AudioSource

KIND = "unavailable"


def set_greeting(extension: str, upload: IO[bytes], *, actor: str) -> Greeting:
    """Take a WAV, MP3, Ogg or FLAC file as the greeting of a mailbox.

    Raises NotFound, Invalid with a sentence for the field `greeting`, and Unavailable where the store does not answer.
    """
    mailbox_id = mailboxes.get(extension).id
    db.session.rollback()
    made = uploads.take(
        upload,
        f"greetings/{mailbox_id}/{new_id()}.wav",
        field="greeting",
        what="A greeting",
        longest_seconds=settings().limits.greeting_seconds,
        metadata={"mailbox_id": mailbox_id, "kind": KIND},
    )
    greeting = Greeting(kind=KIND, storage_key=made.key, size=made.size, sha256=made.sha256, duration=made.duration)
    try:
        old_key = _replace(extension, greeting, actor)
    except NotFound:
        # The mailbox was deleted meanwhile.
        uploads.remove(made.key)
        raise
    if old_key:
        uploads.remove(old_key)
    return greeting


def find(extension: str) -> Greeting | None:
    """The greeting of a mailbox, or None where the default one plays; NotFound."""
    box = mailboxes.get(extension)
    return next((greeting for greeting in box.greetings if greeting.kind == KIND), None)


def open_greeting(greeting: Greeting) -> AudioSource:
    """The greeting's audio, WAV; NotFound where the store lost it, Unavailable where the store does not answer."""
    return uploads.open_stored(greeting.storage_key, greeting.sha256, "The greeting")


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
    uploads.remove(key)


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
