"""Links to a recording that need no log-in: signed with the key of the instance, and they expire."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

from flask import current_app

from app.errors import Forbidden, Gone
from app.services.context import settings

PATH = "/api/voicemail/links"
_EXPIRES = re.compile(r"[0-9]{1,12}", re.ASCII)


def link_of(message_id: str, now: datetime) -> tuple[str, datetime]:
    """The URL of a message's recording, and when it ends."""
    ends = int((now + timedelta(hours=settings().webhook.audio_url_hours)).timestamp())
    url = f"{settings().public_url}{PATH}/{message_id}/audio?expires={ends}&signature={_sign(message_id, str(ends))}"
    return url, datetime.fromtimestamp(ends, UTC)


def check(message_id: str, expires: str, signature: str, now: datetime) -> None:
    """Raise Forbidden for a link that is not ours, Gone for one that has ended."""
    expected = _sign(message_id, expires).encode()
    if not hmac.compare_digest(expected, signature.encode("utf-8", "replace")) or not _EXPIRES.fullmatch(expires):
        raise Forbidden("This link is not valid.")
    if now.timestamp() >= int(expires):
        raise Gone("This link has expired.")


def _sign(message_id: str, expires: str) -> str:
    key = hashlib.sha256(b"voicemail audio link " + str(current_app.config["SECRET_KEY"]).encode()).digest()
    return hmac.new(key, f"{message_id}\n{expires}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()
