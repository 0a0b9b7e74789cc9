"""Sessions that people ended: the cookie of one says nothing any more, whoever kept a copy of it."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, cast

from sqlalchemy import CursorResult, delete
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.extensions import db
from app.models import EndedSession
from app.models.base import database_days_ago, database_now
from app.services.context import settings

TOKEN_BYTES = 16
# A cookie that is older than web.session_hours counts no more by itself; so much longer, should those be raised.
KEPT_DAYS = 30


def new_token() -> str:
    """What tells one session from all others."""
    return secrets.token_hex(TOKEN_BYTES)


def end(token: str) -> None:
    """The session of this token is over. Harmless where it is already."""
    try:
        with writing():
            db.session.add(EndedSession(token_hash=_hash(token), ended_at=database_now()))
    except IntegrityError:
        db.session.rollback()


def is_ended(token: str) -> bool:
    """Whether somebody has logged out of the session of this token."""
    return db.session.get(EndedSession, _hash(token)) is not None


def sweep() -> int:
    """Forget those whose cookies are too old anyhow; how many they were."""
    days = KEPT_DAYS + settings().web.session_hours // 24 + 1
    with writing():
        old = delete(EndedSession).where(EndedSession.ended_at < database_days_ago(days))
        result = db.session.execute(old, execution_options={"synchronize_session": False})
    return cast("CursorResult[Any]", result).rowcount


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
