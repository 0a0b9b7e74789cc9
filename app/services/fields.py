"""Checks of what people type: each returns the clean value, or raises Problem with a sentence for the field."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import available_timezones

from app.config import LANGUAGES
from app.errors import Invalid
from app.services import addresses

LONGEST_NAME = 100
LONGEST_EMAIL = 254
LONGEST_EMAILS = 1000
_EXTENSION = re.compile(r"[0-9]{1,20}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_SID = re.compile(r"[A-Z]{2}[0-9a-f]{32}", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]{1,64}@(?:[^\s@<>,;:\"()\[\]\\.]{1,63}\.)*[^\s@<>,;:\"()\[\]\\.]{1,63}")
_USER = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)


class Problem(ValueError):
    """What is wrong with a field; str() is the sentence."""


class Fields:
    """Collects the problems of several fields, so that people hear of all of them at once."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def check(self, name: str, rule: Callable[..., Any], *values: Any) -> Any:
        """The clean value, or None where the field has a problem."""
        try:
            return rule(*values)
        except Problem as problem:
            self.problems[name] = str(problem)
            return None

    def say(self, name: str, sentence: str | None) -> None:
        """Note a problem that was found otherwise; None is none."""
        if sentence:
            self.problems.setdefault(name, sentence)

    def done(self) -> None:
        """Raise Invalid where there are problems."""
        if self.problems:
            raise Invalid(self.problems)


@contextmanager
def checked() -> Iterator[Fields]:
    """Fields whose problems are raised together at the end of the block."""
    fields = Fields()
    yield fields
    fields.done()


def is_extension(value: str) -> bool:
    """Whether a mailbox may have this extension; anything else need not be looked for."""
    return _EXTENSION.fullmatch(value) is not None


def is_id(value: str) -> bool:
    """Whether a row may have this id (a UUID as text)."""
    return _ID.fullmatch(value) is not None


def is_sid(value: str, kind: str) -> bool:
    """Whether it is a sid of this kind, such as CA: those two letters and 32 hexadecimal digits."""
    return value.startswith(kind) and _SID.fullmatch(value) is not None


def is_user_name(value: str) -> bool:
    """Whether a person may log in with this name."""
    return _USER.fullmatch(value) is not None


def searchable(value: str, longest: int = LONGEST_NAME) -> str:
    """What people search for, as names are kept; without what no database takes (NUL, halves of surrogates)."""
    text = unicodedata.normalize("NFC", value.strip()[:longest])
    return "".join(character for character in text if character.isprintable())


def extension(value: str) -> str:
    """1 to 20 digits."""
    value = value.strip()
    if not is_extension(value):
        raise Problem("An extension is 1 to 20 digits, such as 1001.")
    return value


def name(value: str) -> str:
    """Text on one line, as people write names."""
    value = unicodedata.normalize("NFC", value.strip())
    if len(value) > LONGEST_NAME:
        raise Problem(f"A name has at most {LONGEST_NAME} characters; this one has {len(value)}.")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise Problem("A name is one line of text.")
    return value


def emails(value: str) -> str:
    """Addresses with commas between, each once, or nothing."""
    found = addresses.split(value)
    for one in found:
        if len(one) > LONGEST_EMAIL or not one.isprintable() or not _EMAIL.fullmatch(one):
            which = f"“{searchable(one, 60)}” is" if len(found) > 1 else "This is"
            raise Problem(f"{which} not an e-mail address, such as anna@example.com.")
    text = ", ".join(found)
    if len(text) > LONGEST_EMAILS:
        raise Problem(f"All addresses together have at most {LONGEST_EMAILS} characters; these have {len(text)}.")
    return text


def language(value: str) -> str:
    """One of the languages that the prompts exist in."""
    if value not in LANGUAGES:
        raise Problem(f"The language is one of {', '.join(LANGUAGES)}.")
    return value


def timezone(value: str) -> str:
    """A name of the time zone database."""
    value = value.strip()
    if value not in available_timezones():
        raise Problem("This is not a time zone, such as Europe/Berlin or UTC.")
    return value


def user_name(value: str) -> str:
    """A name to log in with."""
    value = value.strip()
    if not is_user_name(value):
        raise Problem("A user name is 1 to 64 letters, digits, dots, dashes, underscores or @.")
    return value
