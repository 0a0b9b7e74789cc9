"""Bodies: media types and multipart (RFC 2045, RFC 2046, RFC 5621). Pure: bytes in, values out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voice.sip.errors import SipError
from voice.sip.headers import canonical_name, parse_params

MAX_PARTS = 20
MAX_DEPTH = 3
MAX_BOUNDARY = 70


@dataclass(frozen=True)
class Part:
    """media_type in lower case without parameters, empty where none is named; disposition: raw Content-Disposition."""

    media_type: str
    content: bytes
    disposition: str = ""

    @property
    def is_optional(self) -> bool:
        """True where the sender allows this part to be passed over (RFC 3261 section 20.11)."""
        return parse_params(self.disposition.partition(";")[2]).get("handling", "").lower() == "optional"


def media_type(value: str | None) -> str:
    """`Application/SDP; charset=x` to `application/sdp`."""
    return (value or "").partition(";")[0].strip().lower()


def parts_of(content_type: str | None, content: bytes, disposition: str = "", depth: int = MAX_DEPTH) -> list[Part]:
    """The body as a flat list of parts: one where it is not multipart, none where it is empty.

    SipError 400 for a broken multipart, and for one with too many parts or levels.
    """
    kind = media_type(content_type)
    if not content:
        return []
    if not kind.startswith("multipart/"):
        return [Part(kind, content, disposition)]
    boundary = parse_params((content_type or "").partition(";")[2]).get("boundary", "")
    if not 0 < len(boundary) <= MAX_BOUNDARY or depth == 0:
        raise SipError(400, "multipart without a boundary, or too deep")
    pieces = _pieces(boundary.encode("utf-8", "surrogateescape"), content)
    parts = [part for piece in pieces for part in _part(piece, depth)]
    if not parts or len(parts) > MAX_PARTS:
        raise SipError(400, "multipart without parts, or with too many")
    return parts


def _pieces(boundary: bytes, content: bytes) -> list[bytes]:
    """What stands between the delimiter lines (RFC 2046 section 5.1.1); preamble and epilogue are dropped."""
    delimiter = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|$)")
    found: list[bytes] = []
    start = None
    for match in delimiter.finditer(content):
        if start is not None:
            found.append(content[start : match.start()])
        if match[1]:
            return found
        if len(found) > MAX_PARTS:
            raise SipError(400, "too many body parts")
        start = match.end()
    # Without its last delimiter a body may still be whole: some senders forget it.
    return found if start is None else [*found, content[start:]]


def _part(piece: bytes, depth: int) -> list[Part]:
    end = re.search(rb"\r?\n\r?\n", piece)
    head, content = (piece[: end.start()], piece[end.end() :]) if end else (piece, b"")
    kind, disposition = "", ""
    for line in head.decode("utf-8", "surrogateescape").splitlines():
        name, _, value = line.partition(":")
        if canonical_name(name) == "content-type":
            kind = value.strip()
        elif canonical_name(name) == "content-disposition":
            disposition = value.strip()
    if media_type(kind).startswith("multipart/"):
        return parts_of(kind, content, disposition, depth - 1)
    return [Part(media_type(kind), content, disposition)]
