"""Greetings of mailboxes: what is uploaded is decoded and written anew for the telephone, never kept as it was sent."""

from __future__ import annotations

from datetime import datetime
from typing import IO

from sqlalchemy import select

from app.database import writing
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Greeting
from app.models.base import new_id, utc_now
from app.models.greeting import KINDS, TEMPORARY, UNAVAILABLE
from app.services import audit, events, mailboxes, uploads
from app.services.context import settings
from app.storage import AudioSource


def set_greeting(
    extension: str, upload: IO[bytes], *, kind: str = UNAVAILABLE, ends_at: datetime | None = None, actor: str
) -> Greeting:
    """Take a WAV, MP3, Ogg or FLAC file as a greeting of a mailbox.

    ends_at: when a temporary one gives way, None for not at all.
    Raises NotFound, Invalid with a sentence for a field (`greeting`, `kind`, `ends_at`), and Unavailable where the
    store does not answer.
    """
    _check(kind, ends_at)
    mailbox_id = mailboxes.get(extension).id
    db.session.rollback()
    made = uploads.take(
        upload,
        f"greetings/{mailbox_id}/{new_id()}.wav",
        field="greeting",
        what="A greeting",
        longest_seconds=settings().limits.greeting_seconds,
        metadata={"mailbox_id": mailbox_id, "kind": kind},
    )
    facts = {"storage_key": made.key, "size": made.size, "sha256": made.sha256, "duration": made.duration}
    greeting = Greeting(kind=kind, ends_at=ends_at, **facts)
    try:
        old_key = _replace(extension, greeting, actor)
    except NotFound:
        # The mailbox was deleted meanwhile.
        uploads.remove(made.key)
        raise
    if old_key:
        uploads.remove(old_key)
    return greeting


def set_end(extension: str, ends_at: datetime | None, *, actor: str) -> None:
    """Let the temporary greeting end at another time, None: not at all; NotFound, Invalid for the field `ends_at`."""
    _check(TEMPORARY, ends_at)
    with writing():
        box = mailboxes.get(extension, locked=True)
        greeting = find(extension, TEMPORARY)
        if greeting is None:
            raise NotFound("This mailbox has no temporary greeting.")
        greeting.ends_at = ends_at
        # The snapshot of mailboxes is made anew for it.
        box.updated_at = utc_now()
        events.record(events.GREETING_CHANGED, box.id, kind=TEMPORARY, removed=False)
        audit.record(actor, "greeting.set_end", box.id, _named(extension, TEMPORARY))


def find(extension: str, kind: str = UNAVAILABLE) -> Greeting | None:
    """The greeting of this kind that a mailbox has, or None; NotFound."""
    box = mailboxes.get(extension)
    return next((greeting for greeting in box.greetings if greeting.kind == kind), None)


def open_greeting(greeting: Greeting) -> AudioSource:
    """The greeting's audio, WAV; NotFound where the store lost it, Unavailable where the store does not answer."""
    return uploads.open_stored(greeting.storage_key, greeting.sha256, "The greeting")


def remove_greeting(extension: str, kind: str = UNAVAILABLE, *, actor: str) -> bool:
    """Let the greeting that comes after this one play again; False where there was none. NotFound."""
    with writing():
        mailboxes.get(extension, locked=True)
        greeting = find(extension, kind)
        if greeting is None:
            return False
        key = greeting.storage_key
        db.session.delete(greeting)
        events.record(events.GREETING_CHANGED, greeting.mailbox_id, kind=kind, removed=True)
        audit.record(actor, "greeting.remove", greeting.mailbox_id, _named(extension, kind))
    uploads.remove(key)
    return True


def _check(kind: str, ends_at: datetime | None) -> None:
    if kind not in KINDS:
        raise Invalid({"kind": f"A greeting is one of {', '.join(KINDS)}."})
    if ends_at is not None and kind != TEMPORARY:
        raise Invalid({"ends_at": "Only a temporary greeting has an end."})
    if ends_at is not None and ends_at <= utc_now():
        raise Invalid({"ends_at": "This is in the past."})


def _named(extension: str, kind: str) -> str:
    return extension if kind == UNAVAILABLE else f"{extension} ({kind})"


def _replace(extension: str, greeting: Greeting, actor: str) -> str | None:
    """Make this the mailbox's greeting; the key of the audio that nobody needs any more."""
    with writing():
        # Two uploads for one mailbox take turns.
        box = mailboxes.get(extension, locked=True)
        old = db.session.scalar(select(Greeting).where(Greeting.mailbox_id == box.id, Greeting.kind == greeting.kind))
        old_key = old.storage_key if old else None
        if old is not None:
            db.session.delete(old)
            db.session.flush()
        greeting.mailbox_id = box.id
        db.session.add(greeting)
        events.record(events.GREETING_CHANGED, box.id, kind=greeting.kind, removed=False)
        audit.record(actor, "greeting.set", box.id, _named(extension, greeting.kind))
    return old_key
