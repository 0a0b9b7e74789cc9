"""Byte ranges: which part of a recording a request wants (RFC 9110 section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

# One range; a number of more digits than any file has bytes is none.
_ONE_RANGE = re.compile(r"bytes=[ \t]*(?P<first>\d{1,18})?-(?P<last>\d{1,18})?[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """Bytes start to end, end exclusive, of `size`."""

    start: int
    end: int
    size: int

    @property
    def content_range(self) -> str:
        return f"bytes {self.start}-{self.end - 1}/{self.size}"


class Unsatisfiable(Exception):
    """The range lies beyond the end: 416."""


def wanted_part(header: str | None, size: int) -> Part | None:
    """The part that a Range header asks for; None: the whole, which may be sent whatever was asked.

    What is no range of bytes is ignored, as section 14.2 says; several ranges get the whole.
    Raises Unsatisfiable.
    """
    match = _ONE_RANGE.fullmatch(header or "")
    if match is None or (match["first"] is None and match["last"] is None):
        return None
    if match["first"] is None:
        start, end = max(0, size - int(match["last"])), size
    else:
        start, end = int(match["first"]), size
        if match["last"] is not None:
            if int(match["last"]) < start:
                return None
            end = min(int(match["last"]) + 1, size)
    if start >= end:
        raise Unsatisfiable
    return Part(start, end, size)


def still_the_same(if_range: str | None, etag: str) -> bool:
    """Whether If-Range allows a part (section 13.1.5): only the strong entity tag of what is there now does."""
    return if_range is None or if_range.strip() == f'"{etag}"'
