"""Who calls the API: a token in `Authorization: Bearer` (RFC 6750), or the session of a person with a CSRF token."""

from __future__ import annotations

from dataclasses import dataclass

from flask import g, request
from flask_limiter.util import get_remote_address
from flask_login import current_user

from app.api.errors import Unauthorized
from app.errors import NotFound
from app.extensions import csrf
from app.services import mailboxes, tokens

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Caller:
    """Who calls. mailbox_id: the only mailbox they may see; None: all. actor: their name in the record."""

    key: str
    actor: str
    mailbox_id: str | None
    by_session: bool


def caller() -> Caller:
    """Who calls; Unauthorized for a stranger."""
    found = _caller()
    if found is None:
        raise Unauthorized("Log in, or send a token: Authorization: Bearer TOKEN.")
    return found


def check() -> None:
    """Before each request: no strangers, and no forms of other sites."""
    if caller().by_session and request.method not in SAFE_METHODS:
        csrf.protect()


def check_mailbox(extension: str) -> None:
    """NotFound for a mailbox that the caller may not see, as for one that is not there."""
    allowed = caller().mailbox_id
    if allowed is not None and mailboxes.get(extension).id != allowed:
        raise NotFound(f"There is no mailbox {extension}.")


def caller_key() -> str:
    """Whose requests are counted together: a token's, a person's, or those of an address."""
    found = _caller()
    return found.key if found else f"address:{get_remote_address()}"


def _caller() -> Caller | None:
    if "api_caller" not in g:
        g.api_caller = _by_token() if "Authorization" in request.headers else _by_session()
    found: Caller | None = g.api_caller
    return found


def _by_token() -> Caller | None:
    scheme, _, raw = request.headers["Authorization"].partition(" ")
    token = tokens.authenticate(raw.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        return None
    return Caller(f"token:{token.id}", f"token {token.name}", token.mailbox_id, by_session=False)


def _by_session() -> Caller | None:
    if not current_user.is_authenticated:
        return None
    return Caller(f"user:{current_user.id}", current_user.name, None, by_session=True)
