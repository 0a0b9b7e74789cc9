"""What may stand in a trace: text that every database and page takes, short enough, without secrets.

A secret is the value of a field or query parameter that is named like one, and what stands before the @ of a URL.
The digits that a caller types are none: who programs a call needs to see them (docs/operations.md says so).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN = "***"
LONGEST_DETAIL = 8_000
# What is tried one after the other until the whole is short enough: characters of the body, of other texts, items.
_LIMITS = ((4000, 1000, 100), (2000, 300, 60), (500, 100, 30), (100, 40, 10))
_DEEPEST = 4
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Quotation marks and brackets may be a part of a password: rather too much is hidden than too little.
_USERINFO = re.compile(r"(?<=://)[^\s/?#]{1,1000}@")
# Where a text was cut off, what follows the // may be the beginning of a password.
_CUT = re.compile(r"(?<=://)[^\s/?#]{1,1000}…\Z")
_PARAMETER = re.compile(r"(?<=[?&;])([A-Za-z0-9_.%\[\]-]{1,100})=([^&;#\s\"<>]{1,4000})")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SECRET = re.compile(r"passw|passphrase|passcode|secret|token|credential|signature|api.?key|access.?key|authoriz", re.I)
_SECRET_WORDS = frozenset(("pwd", "pin", "auth", "cvv", "cvc"))
# Alone they name a secret, within a name they do not: finishOnKey.
_SECRET_NAMES = frozenset(("key", "pass", "sig"))


def is_secret(name: str) -> bool:
    """Whether a field or parameter of this name holds a secret: AuthToken, api_key, userPin, but not finishOnKey."""
    if _SECRET.search(name) or name.lower() in _SECRET_NAMES:
        return True
    return any(word.lower() in _SECRET_WORDS for word in _WORDS.findall(name))


def masked(text: str) -> str:
    """A text without the secrets of the URLs within it."""
    if "=" in text:
        text = _PARAMETER.sub(lambda found: f"{found[1]}={HIDDEN if is_secret(found[1]) else found[2]}", text)
    text = _USERINFO.sub(f"{HIDDEN}@", text) if "@" in text else text
    return _CUT.sub(f"{HIDDEN}…", text) if text.endswith("…") else text


def storable(text: str, longest: int) -> str:
    """A text that every database takes, of so many characters at most; what cannot be stored becomes U+FFFD."""
    clean = _UNSTORABLE.sub("\ufffd", text[: longest + 1])
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def line(text: str, longest: int) -> str:
    """A text for one column: storable, without secrets."""
    # What is cut off may be the end of a secret, so the masks come first; nobody sends more than this.
    return storable(masked(text[:20_000]), longest)


def detail(plain: Mapping[str, Any]) -> str:
    """A step's detail as JSON of LONGEST_DETAIL bytes at most, without secrets; what is too long is cut."""
    for body, text, items in _LIMITS:
        found = json.dumps(_value("", plain, body, text, items), ensure_ascii=False)
        if len(found.encode()) <= LONGEST_DETAIL:
            return found
    return "{}"


def _value(name: str, value: Any, body: int, text: int, items: int, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool | int):
        return value if value is None or abs(value) < 1 << 53 else str(value)[:text]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return HIDDEN if value and is_secret(name) else line(value, body if name == "body" else text)
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {
            storable(str(key), 100): _value(str(key), one, body, text, items, depth + 1)
            for key, one in list(value.items())[:items]
        }
    if isinstance(value, Sequence):
        return [_item(name, one, body, text, items, depth + 1) for one in value[:items]]
    return line(str(value), text)


def _item(name: str, value: Any, body: int, text: int, items: int, depth: int) -> Any:
    """An item of a list: a pair is a parameter with its name."""
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2 and isinstance(value[0], str):
        return [storable(value[0], 100), _value(value[0], value[1], text, text, items, depth)]
    return _value(name, value, body, text, items, depth)
