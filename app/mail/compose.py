"""From facts to a letter: texts, headers, attachment."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from flask_mail import Attachment

from app.config import Settings
from app.mail import templates
from app.mail.facts import MESSAGE, Facts
from app.mail.letter import Letter
from app.mail.sender import address_of, sender_of
from app.mail.templates import Texts
from app.models.base import utc_now

URGENT = {"Importance": "high", "X-Priority": "1 (Highest)"}
# RFC 3834: nothing answers to a mail that nobody wrote; the other two are for programs that do not know it.
NOBODY_WROTE_IT = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All", "Precedence": "bulk"}


def texts_of(facts: Facts, settings: Settings, attached: str = "", too_large: bool = False) -> Texts:
    """The words of a mail. attached: wav, mp3 or nothing; too_large: why it is nothing."""
    variables = {**facts.variables}
    if facts.kind == MESSAGE:
        variables |= {"attached": attached, "too_large": too_large}
    return templates.render(settings, facts.language, facts.kind, variables)


def compose(
    facts: Facts,
    address: str,
    settings: Settings,
    *,
    key: str,
    attachment: Attachment | None = None,
    too_large: bool = False,
) -> Letter:
    """A letter to an address; PermanentError where that can be none.

    key: the same at every attempt, so that mailers that got it twice show it once (Message-ID, RFC 5322 3.6.4).
    """
    sender, to = sender_of(settings), address_of(address)
    attached = (attachment.filename or "").rpartition(".")[2] if attachment else ""
    texts = texts_of(facts, settings, attached, too_large)
    headers: Mapping[str, str] = {
        "Date": format_datetime(utc_now().astimezone(ZoneInfo(facts.timezone))),
        "Message-ID": f"<{_token(key)}@{sender.domain}>",
        "Content-Language": facts.language,
        **NOBODY_WROTE_IT,
        **(URGENT if facts.urgent else {}),
    }
    return Letter(sender, to, texts, headers, attachment)


def _token(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:40]
