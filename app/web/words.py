"""How things are said on pages: times, lengths, callers."""

from __future__ import annotations

import zlib
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask

from app.models import Message
from app.models.base import utc_now
from app.web import delivery_words

LANGUAGE_NAMES = {"en": "English", "zh": "中文 (Chinese)", "ja": "日本語 (Japanese)", "es": "Español", "fr": "Français"}
UNKNOWN_CALLER = "Unknown caller"


def init_app(app: Flask) -> None:
    """Let templates say these things."""
    for function in (at, until, at_full, length_words, caller, fingerprint, language_name):
        app.add_template_filter(function)
    app.add_template_filter(delivery_words.summaries, "delivery_summaries")
    app.jinja_env.globals["limits"] = app.extensions["settings"].limits


def today(zone: str) -> date:
    """The day it is in that zone. What a page says by at() and until() changes with it."""
    return utc_now().astimezone(ZoneInfo(zone)).date()


def at(moment: datetime, zone: str) -> str:
    """A time as people of that zone say it: Today 14:03, Yesterday 09:12, Mon 23 Nov 2026 14:03."""
    local, day = moment.astimezone(ZoneInfo(zone)), today(zone)
    if local.date() == day:
        return f"Today {local:%H:%M}"
    if local.date() == day - timedelta(days=1):
        return f"Yesterday {local:%H:%M}"
    return f"{local:%a} {local.day} {local:%b %Y %H:%M}"


def until(moment: datetime, zone: str) -> str:
    """A time within a sentence: today 14:03."""
    text = at(moment, zone)
    return text.replace("Today", "today").replace("Yesterday", "yesterday")


def at_full(moment: datetime, zone: str) -> str:
    """A time with seconds, date and zone."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M:%S} ({zone})"


def length_words(seconds: float) -> str:
    """A length as minutes and seconds: 0:07, 1:02:03."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def caller(message: Message) -> str:
    """Who called, in one line."""
    number = message.caller_number or UNKNOWN_CALLER
    return f"{message.caller_name}, {number}" if message.caller_name else number


def language_name(code: str) -> str:
    """A language by its own name."""
    return LANGUAGE_NAMES.get(code, code)


def fingerprint(text: str) -> str:
    """A short text that differs where the other does."""
    return f"{zlib.crc32(text.encode()):08x}"
