"""Metadata of objects on remote stores: headers, so short and of ASCII, in which any text comes back as it was.

Printable ASCII stands as it is, all else is percent-encoded as UTF-8 (RFC 3986 section 2.1), or in Base64 where that
is shorter.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from urllib.parse import quote, unquote

# S3 counts names and values together and takes 2048 bytes; something is left for what a store adds.
LONGEST = 1900
SHA256 = "sha256"
EMPTY = "%"
"""Some stores lose a header without a value. In a percent-encoded text no % stands alone, nor before a `ba`."""
BASE64 = "%base64,"
_PLAIN = "!#$&'()*+,/:;=?@[]^`{|}~"


def encoded(metadata: Mapping[str, str], sha256: str) -> dict[str, str]:
    """Metadata as a store takes it; the longest texts are cut where all would be too much for it."""
    texts = {**metadata, SHA256: sha256}
    found = {name: _encode(text) for name, text in texts.items()}
    # An object with half a name is better than a recording that no store takes.
    while sum(len(name) + len(value) for name, value in found.items()) > LONGEST:
        longest = max((name for name in found if name != SHA256), key=lambda name: len(found[name]))
        texts[longest] = texts[longest][: len(texts[longest]) // 2]
        found[longest] = _encode(texts[longest])
    return found


def decoded(found: Mapping[str, str]) -> tuple[str | None, dict[str, str]]:
    """The sha256 (None where it was lost) and the metadata as they were."""
    texts = {name.lower(): _decode(value) for name, value in found.items()}
    return texts.pop(SHA256, None), texts


def _encode(text: str) -> str:
    if not text:
        return EMPTY
    content = text.encode("utf-8", "replace")
    percent, compact = quote(content, safe=_PLAIN), BASE64 + base64.b64encode(content).decode()
    return percent if len(percent) <= len(compact) else compact


def _decode(value: str) -> str:
    if value == EMPTY:
        return ""
    if value.startswith(BASE64):
        try:
            return base64.b64decode(value.removeprefix(BASE64), validate=True).decode("utf-8", "replace")
        except binascii.Error:
            return value
    return unquote(value)
