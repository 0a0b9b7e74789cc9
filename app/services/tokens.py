"""Bearer tokens of programs: shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Mailbox, Token
from app.models.base import utc_now
from app.services import audit, fields, mailboxes

PREFIX = "vm_"
LENGTH_BYTES = 32
LONGEST_TOKEN_NAME = 64
TAKEN = "A token of this name exists already."
# A busy program must not write a row at each request.
USED_EVERY = timedelta(minutes=5)


def create(name: str, *, extension: str | None = None, actor: str) -> str:
    """Make a token for one mailbox, or (extension None) for all; the token, which nobody can read again. Invalid."""
    with fields.checked() as form:
        name = form.check("name", _name, name) or ""
        if name and db.session.scalar(select(Token.id).where(Token.name == name)):
            form.say("name", TAKEN)
        mailbox_id = None if extension is None else form.check("extension", _mailbox_id, extension)
    raw = PREFIX + secrets.token_urlsafe(LENGTH_BYTES)
    try:
        with writing():
            token = Token(name=name, token_hash=_hash(raw), mailbox_id=mailbox_id)
            db.session.add(token)
            db.session.flush()
            audit.record(actor, "token.create", token.id, name)
    except IntegrityError:
        raise Invalid({"name": TAKEN}) from None
    return raw


def authenticate(raw: str) -> Token | None:
    """The token, where it is one whose mailbox lives.

    The hash is looked up by an index: 256 random bits cannot be guessed by how long that takes.
    """
    if not (raw.isascii() and raw.startswith(PREFIX)) or len(raw) > 100:
        return None
    token = db.session.scalar(select(Token).where(Token.token_hash == _hash(raw)))
    if token is None:
        return None
    if token.mailbox_id is not None:
        box = db.session.get(Mailbox, token.mailbox_id)
        if box is None or box.live_extension is None:
            return None
    if token.last_used_at is None or utc_now() - token.last_used_at > USED_EVERY:
        with writing():
            db.session.execute(update(Token).where(Token.id == token.id).values(last_used_at=utc_now()))
    return token


def listing() -> list[tuple[Token, str]]:
    """All tokens by name, each with the extension of its mailbox ("" for all mailboxes)."""
    query = select(Token, Mailbox.extension).outerjoin(Mailbox, Mailbox.id == Token.mailbox_id).order_by(Token.name)
    return [(token, extension or "") for token, extension in db.session.execute(query)]


def revoke(token_id: str, *, actor: str) -> None:
    """A token ends at once; NotFound."""
    with writing():
        token = db.session.get(Token, token_id) if fields.is_id(token_id) else None
        if token is None:
            raise NotFound("There is no such token.")
        audit.record(actor, "token.revoke", token.id, token.name)
        db.session.delete(token)


def _hash(raw: str) -> str:
    return hashlib.sha256(raw.encode()).hexdigest()


def _name(value: str) -> str:
    value = fields.name(value)
    if not value:
        raise fields.Problem("A token needs a name, such as the program that uses it.")
    if len(value) > LONGEST_TOKEN_NAME:
        raise fields.Problem(f"A token's name has at most {LONGEST_TOKEN_NAME} characters.")
    return value


def _mailbox_id(extension: str) -> str:
    try:
        return mailboxes.get(fields.extension(extension)).id
    except NotFound as error:
        raise fields.Problem(error.message) from None
