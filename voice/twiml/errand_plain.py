"""Errands as plain JSON values and back, for the way between media process and courier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from voice.twiml import plain
from voice.twiml.errands import Ask, ErrandFailed, Exchange, Fetched, Sound


def ask_of(given: Mapping[str, Any]) -> Ask:
    """What asdict() made of an Ask."""
    return Ask(**{**given, "parameters": _pairs(given["parameters"])})


def exchanges_of(given: Iterable[Mapping[str, Any]]) -> tuple[Exchange, ...]:
    """What asdict() made of exchanges."""
    return tuple(Exchange(**{**each, "parameters": _pairs(each["parameters"])}) for each in given)


def from_exchanges(exchanges: Iterable[Exchange]) -> list[dict[str, Any]]:
    """Exchanges as JSON."""
    return [asdict(each) for each in exchanges]


def from_fetched(fetched: Fetched) -> dict[str, Any]:
    """A document as JSON."""
    return {"document": plain.to_plain(fetched.document), "exchanges": from_exchanges(fetched.exchanges)}


def fetched_of(given: Mapping[str, Any]) -> Fetched:
    """What from_fetched() made."""
    return Fetched(plain.from_plain(given["document"]), exchanges_of(given["exchanges"]))


def from_sound(sound: Sound) -> dict[str, Any]:
    """A sound as JSON."""
    return {**asdict(sound), "path": str(sound.path)}


def sound_of(given: Mapping[str, Any]) -> Sound:
    """What from_sound() made."""
    return Sound(**{**given, "path": Path(given["path"]), "exchanges": exchanges_of(given["exchanges"])})


def from_failure(error: ErrandFailed) -> dict[str, Any]:
    """Why there is nothing, as JSON."""
    exchanges = from_exchanges(error.exchanges)
    place = {"line": error.line, "column": error.column}
    return {"code": error.code, "text": str(error), "url": error.url, "exchanges": exchanges, **place}


def failure_of(given: Mapping[str, Any]) -> ErrandFailed:
    """What from_failure() made."""
    exchanges = exchanges_of(given["exchanges"])
    return ErrandFailed(given["code"], given["text"], given["url"], exchanges, given["line"], given["column"])


def _pairs(given: Iterable[Iterable[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in given)
