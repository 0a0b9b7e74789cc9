"""How long an answer may be used again: the part of HTTP's caching (RFC 9111) that a cache of one user needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 365 * 86400.0


@dataclass(frozen=True)
class Freshness:
    """store: it may be kept at all. until: UNIX time up to which nobody needs to be asked about it."""

    store: bool
    until: float


def freshness_of(headers: Mapping[str, str], now: float) -> Freshness:
    """What an answer's headers allow. Without a word about it, whoever wants it again asks again."""
    rules = _directives(headers.get("Cache-Control", ""))
    if "no-store" in rules or headers.get("Vary", "").strip() == "*":
        return Freshness(False, 0.0)
    if "no-cache" in rules:
        return Freshness(True, 0.0)
    if "max-age" in rules:
        seconds = _seconds(rules["max-age"])
    elif expires := headers.get("Expires", ""):
        seconds = max(0.0, _time(expires) - (_time(headers.get("Date", "")) or now))
    else:
        seconds = 0.0
    age = _seconds(headers.get("Age", ""))
    return Freshness(True, now + min(seconds, LONGEST_SECONDS) - age if seconds > age else 0.0)


def _directives(text: str) -> dict[str, str]:
    """Cache-Control by directive, in small letters."""
    pairs = (part.partition("=") for part in text.split(","))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def _seconds(text: str) -> float:
    return float(text[:12]) if text.isascii() and text.isdigit() else 0.0


def _time(text: str) -> float:
    """UNIX time of an HTTP date; 0 for anything else."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
