"""What an empty instance gets: an administrator and mailbox 1001, whose secrets are shown this once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from flask import Flask
from sqlalchemy import func, select

from app.config import Settings, SettingsError
from app.errors import Invalid
from app.extensions import db
from app.models import Mailbox
from app.services import mailboxes, pins, users

ADMIN = "admin"
EXTENSION = "1001"
ACTOR = "first start"
PASSWORD_LENGTH = 16
# Nothing that a reader could take for something else: no 0 and O, no 1, l and I.
LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"


@dataclass(frozen=True)
class Created:
    """What was made; `password` is empty where VOICEMAIL_ADMIN_PASSWORD gave it, None where nothing was made."""

    password: str | None = None
    pin: str | None = None


def fill_empty_instance(app: Flask, settings: Settings) -> Created:
    """Make an administrator where there is no user, and a mailbox where there is none.

    Raises SettingsError where VOICEMAIL_ADMIN_PASSWORD is refused.
    """
    with app.app_context():
        return Created(_first_admin(settings), _first_mailbox())


def _first_admin(settings: Settings) -> str | None:
    if users.count():
        return None
    given = settings.web.admin_password
    password = given or "".join(secrets.choice(LETTERS) for _ in range(PASSWORD_LENGTH))
    try:
        users.create(ADMIN, password, "admin", actor=ACTOR)
    except Invalid as error:
        raise SettingsError("VOICEMAIL_ADMIN_PASSWORD", error.message) from None
    return "" if given else password


def _first_mailbox() -> str | None:
    # A deleted one counts: whoever deleted it does not want it back.
    if db.session.scalar(select(func.count()).select_from(Mailbox)):
        return None
    pin = pins.generate(EXTENSION)
    mailboxes.create(EXTENSION, pin=pin, name="Demo", actor=ACTOR)
    return pin


def announcement(created: Created, address: str) -> str:
    """The lines that show the new secrets; empty where nothing was made."""
    lines = []
    if created.password is not None:
        shown = created.password or "the one in VOICEMAIL_ADMIN_PASSWORD"
        lines += [f"  Portal     {address}/", f"  User       {ADMIN}", f"  Password   {shown}"]
    if created.pin is not None:
        lines += [f"  Mailbox    {EXTENSION}", f"  PIN        {created.pin}"]
    if not lines:
        return ""
    return "\n".join(["", "Shown only this once; keep it:", "", *lines, ""])
