"""Cursors of lists that are sorted by a time, the newest first: where the next page begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from app.errors import Invalid
from app.services import fields


def cursor_of(when: datetime, row_id: str) -> str:
    """The cursor of what follows the row with this time and id."""
    text = f"{when.isoformat()}|{row_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def after(
    cursor: str | None,
    when: InstrumentedAttribute[datetime],
    row_id: InstrumentedAttribute[str],
    is_id: Callable[[str], bool] = fields.is_id,
) -> list[ColumnElement[Any]]:
    """Conditions for the rows that follow a cursor; Invalid where it is none. None or "": the first page.

    is_id: whether a row of this list may have such an id.
    """
    if not cursor:
        return []
    try:
        text, _, last_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("|")
        at = datetime.fromisoformat(text)
        if at.tzinfo is None or not is_id(last_id):
            raise ValueError("not a time with a zone and the id of a row")
        at = at.astimezone(UTC)
    except (ValueError, OverflowError, binascii.Error):
        raise Invalid({"cursor": "This is not a cursor of this list."}) from None
    return [or_(when < at, and_(when == at, row_id < last_id))]
