"""Numbers that calls are answered for, as people and phones write them."""

from __future__ import annotations

import re

from app.models.calls import CATCH_ALL
from app.services import fields

LONGEST_NUMBER = 64
_DIALLED = re.compile(rf"(?=.{{1,{LONGEST_NUMBER}}}\Z)\+?[0-9*#]+", re.ASCII)
_USER = re.compile(rf"(?=.{{1,{LONGEST_NUMBER}}}\Z)[a-z0-9][a-z0-9._-]*", re.ASCII)
_SEPARATORS = re.compile(r"[\s().\-/]")


def spelled(value: str) -> str:
    """A number as it is kept: without parameters and visual separators; a SIP user name in lower case."""
    value = value.split(";", maxsplit=1)[0].strip()
    if re.search("[A-Za-z]", value):
        return value.lower()
    return _SEPARATORS.sub("", value)


def alike(number: str) -> tuple[str, ...]:
    """All spellings of a number, this one first: the plus sign before a number of digits may be left out."""
    bare = number.removeprefix("+")
    if not bare.isdigit():
        return (number,)
    return (number, bare if number != bare else f"+{bare}")


def is_number(value: str) -> bool:
    """Whether a spelled number is one that can be dialled, or CATCH_ALL."""
    return value.isascii() and (_DIALLED.fullmatch(value) or _USER.fullmatch(value)) is not None


def number(value: str) -> str:
    """What can be dialled: digits, * and #, with a + before them or without; or a SIP user name; or CATCH_ALL."""
    found = spelled(value)
    if not found:
        raise fields.Problem(
            f"A number is what callers dial, such as 5551234; {CATCH_ALL} is all that nothing else answers."
        )
    if not is_number(found):
        raise fields.Problem(
            f"A number is up to {LONGEST_NUMBER} digits, * and #, such as 5551234, +4930123456 or *55, or a SIP user."
        )
    return found
