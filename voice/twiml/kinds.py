"""Kinds of attributes: how a value is written, how it is read, and what a wrong one should have been."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from voice.twiml.codes import SCHEMA

KEYS = "0123456789*#"
MAX_TONES, MAX_TEXT = 500, 200
_WHOLE = re.compile(r"[0-9]{1,9}")
_TONES = re.compile(r"[0-9A-Da-d*#wW]*")


class Kind(StrEnum):
    """The value is what docs/twiml.md calls it."""

    URL = "URL"
    METHOD = "method"
    BOOLEAN = "true or false"
    WHOLE = "whole number"
    CHOICE = "choice"
    CHOICES = "choices"
    KEY = "key"
    KEYS = "keys"
    TONES = "tones"
    TEXT = "text"


class Support(StrEnum):
    """How far it does what Twilio's pages say."""

    FULL = "supported"
    DIFFERS = "differs"
    NOT_YET = "not yet"


@dataclass(frozen=True)
class Attribute:
    """A row of the table.

    default: the value where it is not given, as read() gives it. shown: how the page writes that default, where it is
    no value. choices: of CHOICE and CHOICES, or what of METHOD. lowest, highest: of WHOLE. code: of a wrong value.
    later: values of Twilio's that are not supported yet. how: what differs, a sentence. ours: not from Twilio's page.
    """

    name: str
    kind: Kind
    default: Any
    meaning: str
    code: int = SCHEMA
    choices: tuple[str, ...] = ()
    lowest: int = 0
    highest: int = 0
    later: tuple[str, ...] = ()
    support: Support = Support.FULL
    how: str = ""
    shown: str = ""
    ours: bool = False

    def read(self, raw: str) -> Any:
        """The value as Python has it: str, bool, int or, of CHOICES, a tuple of str. ValueError for a wrong one."""
        value = _READERS[self.kind](self, raw)
        if value is None:
            raise ValueError(self.expected())
        return value

    def expected(self) -> str:
        """What a value has to be, as the rest of a sentence."""
        if self.kind is Kind.WHOLE:
            return f"a whole number from {self.lowest} to {self.highest}"
        if self.kind is Kind.CHOICES:
            return f"one or more of {', '.join(self.choices)}, with spaces between"
        return _EXPECTED.get(self.kind) or " or ".join(self.choices)


_EXPECTED = {
    Kind.URL: "a URL, which may be relative",
    Kind.METHOD: "GET or POST",
    Kind.BOOLEAN: "true or false",
    Kind.KEY: "one key of 0 to 9, * and #, or empty",
    Kind.KEYS: "keys of 0 to 9, * and #, or empty",
    Kind.TONES: f"at most {MAX_TONES} of 0 to 9, A to D, *, #, w and W",
    Kind.TEXT: f"a text of at most {MAX_TEXT} characters",
}


def _url(_: Attribute, raw: str) -> str | None:
    # Whoever asks for it says what is wrong with it.
    return raw.strip()


def _text(_: Attribute, raw: str) -> str | None:
    raw = raw.strip()
    return raw if len(raw) <= MAX_TEXT else None


def _one_of(choices: tuple[str, ...], raw: str) -> str | None:
    """Names of values may come in any case."""
    wanted = raw.strip().casefold()
    return next((choice for choice in choices if choice.casefold() == wanted), None)


def _method(_: Attribute, raw: str) -> str | None:
    return _one_of(("GET", "POST"), raw)


def _boolean(_: Attribute, raw: str) -> bool | None:
    return {"true": True, "false": False}.get(raw.strip().casefold())


def _whole(attribute: Attribute, raw: str) -> int | None:
    raw = raw.strip()
    if not _WHOLE.fullmatch(raw) or not attribute.lowest <= int(raw) <= attribute.highest:
        return None
    return int(raw)


def _choice(attribute: Attribute, raw: str) -> str | None:
    return _one_of(attribute.choices, raw)


def _choices(attribute: Attribute, raw: str) -> tuple[str, ...] | None:
    found = [_one_of(attribute.choices, word) for word in raw.replace(",", " ").split()]
    chosen = tuple(dict.fromkeys(word for word in found if word is not None))
    return chosen if found and None not in found else None


def _key(_: Attribute, raw: str) -> str | None:
    return raw if len(raw) <= 1 and raw in KEYS else None


def _keys(_: Attribute, raw: str) -> str | None:
    return "".join(dict.fromkeys(raw)) if set(raw) <= set(KEYS) else None


def _tones(_: Attribute, raw: str) -> str | None:
    raw = raw.strip()
    if len(raw) > MAX_TONES or not _TONES.fullmatch(raw):
        return None
    return "".join(tone if tone in "wW" else tone.upper() for tone in raw)


_READERS = {
    Kind.URL: _url,
    Kind.METHOD: _method,
    Kind.BOOLEAN: _boolean,
    Kind.WHOLE: _whole,
    Kind.CHOICE: _choice,
    Kind.CHOICES: _choices,
    Kind.KEY: _key,
    Kind.KEYS: _keys,
    Kind.TONES: _tones,
    Kind.TEXT: _text,
}
