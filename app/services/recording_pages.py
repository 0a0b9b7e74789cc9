"""Pages of recordings, the newest first. A page is named by the recording that it follows, or that it ends before.

So recordings that come or go meanwhile neither shift a page nor repeat a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select

from app.errors import Invalid
from app.extensions import db
from app.models import Recording


@dataclass(frozen=True)
class Wanted:
    """Which recordings: of one call, made since a time (that included), made until a time (that excluded)."""

    call_sid: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Page:
    """Which page. number: from 0. after, before: the sid of the last recording of the page before, or of the first one
    of the page after it; with neither it is the number that counts. size: recordings of a page.
    """

    number: int = 0
    size: int = 50
    after: str = ""
    before: str = ""


@dataclass(frozen=True)
class Found:
    """Recordings of a page, and whether others follow."""

    rows: list[Recording]
    more: bool


def page(wanted: Wanted, page: Page) -> Found:
    """A page of those that are not deleted; Invalid where it follows a recording that there never was."""
    query = select(Recording).where(Recording.deleted_at.is_(None), Recording.purged_at.is_(None), *_conditions(wanted))
    if page.before:
        earlier = query.where(_beside(page.before, newer=True)).order_by(Recording.created_at, Recording.sid)
        rows = list(db.session.scalars(earlier.limit(page.size)))
        return Found(rows[::-1], more=True)
    query = query.where(_beside(page.after, newer=False)) if page.after else query.offset(page.number * page.size)
    query = query.order_by(Recording.created_at.desc(), Recording.sid.desc()).limit(page.size + 1)
    rows = list(db.session.scalars(query))
    return Found(rows[: page.size], more=len(rows) > page.size)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.call_sid is not None:
        found.append(Recording.call_sid == wanted.call_sid)
    if wanted.since is not None:
        found.append(Recording.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(Recording.created_at < wanted.until)
    return found


def _beside(sid: str, *, newer: bool) -> ColumnElement[bool]:
    """The recordings on one side of this one, which may be deleted by now: its row remains."""
    when = db.session.scalar(select(Recording.created_at).where(Recording.sid == sid))
    if when is None:
        raise Invalid({"PageToken": "PageToken is none of this list."})
    if newer:
        return or_(Recording.created_at > when, and_(Recording.created_at == when, Recording.sid > sid))
    return or_(Recording.created_at < when, and_(Recording.created_at == when, Recording.sid < sid))
