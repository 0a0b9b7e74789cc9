"""The account of programmed calls, for people: shown, and its token changed."""

from __future__ import annotations

from app import account
from app.account import Account
from app.config import SettingsError
from app.database import writing
from app.errors import Invalid, Unavailable
from app.services import audit
from app.services.context import settings

IN_SETTINGS = "The token stands in the settings (programmable.auth_token); change it there."


def sid() -> str:
    """The AccountSid; Unavailable where it cannot be read or made."""
    return _account().sid


def is_fixed() -> bool:
    """Whether the token stands in the settings, so that it is changed there."""
    return bool(settings().programmable.auth_token)


def reveal(*, actor: str) -> Account:
    """The account with its token, for an administrator; Unavailable."""
    found = _account()
    with writing():
        audit.record(actor, "account.token", found.sid)
    return found


def rotate(*, actor: str) -> Account:
    """Make another token, which signs and opens from now on. Invalid where it stands in the settings; Unavailable."""
    if is_fixed():
        raise Invalid({"token": IN_SETTINGS})
    try:
        # With the database away nothing changes; nobody is to change it unseen.
        with writing():
            audit.record(actor, "account.rotate", _account().sid)
            return account.rotate(settings())
    except SettingsError as error:
        raise Unavailable(f"The token cannot be changed: {error}", 60) from None


def _account() -> Account:
    try:
        return account.account_of(settings())
    except SettingsError as error:
        raise Unavailable(f"The account cannot be read or made: {error}", 60) from None
