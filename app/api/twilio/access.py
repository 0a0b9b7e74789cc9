"""Who may: whoever knows AccountSid and auth token (Basic, RFC 7617), or an administrator who is logged in to listen.

A session reads only: so no form of another site can delete anything, and no CSRF token is asked for.
"""

from __future__ import annotations

import hmac
from typing import Any

from flask import Blueprint, current_app, g, request
from flask_limiter.util import get_remote_address
from flask_login import current_user

from app.account import Account, account_of
from app.api.errors import Unauthorized
from app.config import Settings
from app.errors import NotFound
from app.models.user import ADMIN

SAFE_METHODS = ("GET", "HEAD")
AUTHENTICATE = "Authenticate: the user name is the AccountSid, the password the auth token."


def init_blueprint(blueprint: Blueprint) -> None:
    """Check each request of a blueprint whose addresses begin with an AccountSid."""
    blueprint.url_value_preprocessor(_take_account_sid)
    blueprint.before_request(check)


def check() -> None:
    """Before each request: no strangers (Unauthorized), and no other account (NotFound)."""
    if caller() is None:
        raise Unauthorized(AUTHENTICATE)
    if g.account_sid != account().sid:
        raise NotFound("There is no such account.")


def caller() -> str | None:
    """Who calls, for the record; None for a stranger."""
    if "twilio_caller" not in g:
        g.twilio_caller = _by_token() if "Authorization" in request.headers else _by_session()
    found: str | None = g.twilio_caller
    return found


def caller_key() -> str:
    """Whose requests are counted together: the account's, a person's, or those of an address."""
    return caller() or f"address:{get_remote_address()}"


def account() -> Account:
    """The account of this instance."""
    if "twilio_account" not in g:
        settings: Settings = current_app.extensions["settings"]
        g.twilio_account = account_of(settings)
    found: Account = g.twilio_account
    return found


def _take_account_sid(endpoint: str | None, values: dict[str, Any] | None) -> None:
    g.account_sid = (values or {}).pop("account_sid", "")


def _by_token() -> str | None:
    given, mine = request.authorization, account()
    if given is None or given.type != "basic":
        return None
    # Both in any case: how long it takes tells nothing of which was wrong.
    same = [
        hmac.compare_digest(text.encode(), secret.encode())
        for text, secret in ((given.username or "", mine.sid), (given.password or "", mine.token))
    ]
    return f"account {mine.sid}" if all(same) else None


def _by_session() -> str | None:
    if request.method not in SAFE_METHODS or not current_user.is_authenticated or current_user.role != ADMIN:
        return None
    return str(current_user.name)
