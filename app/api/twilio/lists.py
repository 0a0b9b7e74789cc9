"""Lists in Twilio's form: pages that name the next one, and filters by date.

https://www.twilio.com/docs/usage/twilios-response#response-formats-list-paging-information
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from app.errors import Invalid
from app.services import fields
from app.services.recording_pages import Found, Page

DEFAULT_SIZE, LARGEST_SIZE, LARGEST_PAGE = 50, 1000, 1_000_000
AFTER, BEFORE = "PA", "PB"
PAGING = ("Page", "PageSize", "PageToken")


@dataclass(frozen=True)
class Days:
    """Since a time (that included), until a time (that excluded)."""

    since: datetime | None
    until: datetime | None


def page_of(arguments: Mapping[str, str]) -> Page:
    """The page that a request wants: PageSize (a larger one than LARGEST_SIZE is that), Page, PageToken; Invalid."""
    size = min(_number(arguments, "PageSize", DEFAULT_SIZE, 1), LARGEST_SIZE)
    number, token = _number(arguments, "Page", 0, 0), arguments.get("PageToken", "")
    if number > LARGEST_PAGE:
        raise Invalid({"Page": f"Page is a number from 0 to {LARGEST_PAGE}."})
    if not token:
        return Page(number, size)
    kind, sid = token[:2], token[2:]
    if kind not in (AFTER, BEFORE) or not fields.is_sid(sid, "RE"):
        raise Invalid({"PageToken": "PageToken is none of this list."})
    return Page(number, size, after=sid if kind == AFTER else "", before=sid if kind == BEFORE else "")


def days_of(arguments: Mapping[str, str], name: str) -> Days:
    """What NAME (on this day), NAME< (before it begins, or that time) and NAME> (since then) say together; Invalid.

    A day is one of UTC.
    """
    since, until = _moment(arguments, f"{name}>"), _moment(arguments, f"{name}<")
    on = _moment(arguments, name)
    if on is not None:
        begins = on.replace(hour=0, minute=0, second=0, microsecond=0)
        since = max(begins, since or begins)
        until = min(_next_day(begins, name), until or _next_day(begins, name))
    return Days(since, until)


def facts(page: Page, path: str, arguments: Mapping[str, str], found: Found) -> dict[str, Any]:
    """What stands beside the rows of a page. path: of the list."""
    kept = [(name, value) for name, value in arguments.items() if name not in PAGING]

    def uri(number: int, token: str = "") -> str:
        paging = [("PageSize", str(page.size)), ("Page", str(number))]
        return f"{path}?{urlencode(kept + paging + ([('PageToken', token)] if token else []))}"

    rows, start = found.rows, page.number * page.size
    token = AFTER + page.after if page.after else BEFORE + page.before if page.before else ""
    following = uri(page.number + 1, AFTER + rows[-1].sid) if found.more and rows else None
    earlier = uri(page.number - 1, BEFORE + rows[0].sid) if page.number > 0 and rows else None
    return {
        "page": page.number,
        "page_size": page.size,
        "start": start,
        "end": start + max(0, len(rows) - 1),
        "uri": uri(page.number, token),
        "first_page_uri": uri(0),
        "next_page_uri": following,
        "previous_page_uri": earlier,
    }


def _number(arguments: Mapping[str, str], name: str, default: int, lowest: int) -> int:
    text = arguments.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) >= lowest):
        raise Invalid({name: f"{name} is a whole number, at least {lowest}."})
    return int(text)


def _moment(arguments: Mapping[str, str], name: str) -> datetime | None:
    """YYYY-MM-DD, its beginning; or YYYY-MM-DDThh:mm:ssZ."""
    text = arguments.get(name, "")
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid({name: f"{name} is a date such as 2026-01-31, or a time such as 2026-01-31T09:15:00Z."}) from None


def _next_day(day: datetime, name: str) -> datetime:
    try:
        return day + timedelta(days=1)
    except OverflowError:
        raise Invalid({name: f"{name} is after the last day that there is."}) from None
