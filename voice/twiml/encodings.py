"""The bytes of a document as text: byte order mark, then what HTTP says (RFC 7303), then what the document says."""

from __future__ import annotations

import codecs
import re

from voice.twiml.codes import NOT_XML
from voice.twiml.document import DocumentError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BARE_UTF_16 = {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}
_DECLARED = re.compile(rb"""<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
# Python knows many more, some of which are no encodings of text at all.
_ALLOWED = frozenset(
    (
        "utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "gb2312", "gbk", "gb18030", "big5", "shift_jis", "cp932",
        "euc_jp", "euc_kr", "koi8-r",
        *(f"iso8859-{part}" for part in range(1, 17)),
        *(f"cp125{page}" for page in range(9)),
    )
)  # fmt: skip


def decoded(body: bytes, charset: str = "") -> str:
    """The text, without a byte order mark. charset: of the Content-Type, if any. DocumentError."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return _decode(body[len(mark) :], name)
    declared = _DECLARED.match(body)
    name = charset or _BARE_UTF_16.get(body[:2], "") or (declared[1].decode() if declared else "utf-8")
    return _decode(body, _known(name))


def _known(name: str) -> str:
    try:
        known = codecs.lookup(name.strip("\"' ")).name
    except (LookupError, ValueError):
        known = ""
    if known not in _ALLOWED:
        shown = "".join(letter for letter in name[:40] if letter.isprintable())
        raise DocumentError(NOT_XML, f"The encoding “{shown}” is not known; UTF-8 always is.", 1, 1)
    return known


def _decode(body: bytes, name: str) -> str:
    try:
        return body.decode(name)
    except UnicodeDecodeError as error:
        before = body[: error.start].decode(name, "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        text = f"Line {line}, column {column}: there are bytes that are not {name.upper()}, the document's encoding."
        raise DocumentError(NOT_XML, text, line, column) from None
