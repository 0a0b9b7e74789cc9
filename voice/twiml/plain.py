"""A document as plain JSON values and back, for the way from the process that fetched it to the one that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from voice.twiml.document import Document, Notice, Step

T = TypeVar("T")
MOST_DEPTH = 32


def to_plain(document: Document) -> dict[str, Any]:
    """What json.dumps takes."""
    return {
        "url": document.url,
        "steps": [_plain_step(step) for step in document.steps],
        "notices": [[notice.code, notice.text, notice.line, notice.column] for notice in document.notices],
    }


def from_plain(plain: object) -> Document:
    """What to_plain() made of a document, after JSON; TypeError or ValueError for anything else."""
    given = _mapping(plain, {"url", "steps", "notices"})
    return Document(
        _of(str, given["url"]),
        tuple(_step(step, MOST_DEPTH) for step in _of(list, given["steps"])),
        tuple(_notice(notice) for notice in _of(list, given["notices"])),
    )


def _plain_step(step: Step) -> dict[str, Any]:
    attributes = {name: list(value) if isinstance(value, tuple) else value for name, value in step.attributes.items()}
    return {
        "name": step.name,
        "attributes": attributes,
        "text": step.text,
        "children": [_plain_step(child) for child in step.children],
        "line": step.line,
        "column": step.column,
    }


def _step(plain: object, depth: int) -> Step:
    if not depth:
        raise ValueError("the steps are nested too deep")
    given = _mapping(plain, {"name", "attributes", "text", "children", "line", "column"})
    return Step(
        _of(str, given["name"]),
        {_of(str, name): _value(value) for name, value in _of(dict, given["attributes"]).items()},
        _of(str, given["text"]),
        tuple(_step(child, depth - 1) for child in _of(list, given["children"])),
        _of(int, given["line"]),
        _of(int, given["column"]),
    )


def _notice(plain: object) -> Notice:
    code, text, line, column = _of(list, plain)
    return Notice(_of(int, code), _of(str, text), _of(int, line), _of(int, column))


def _value(plain: object) -> str | bool | int | tuple[str, ...]:
    if isinstance(plain, list):
        return tuple(_of(str, word) for word in plain)
    if isinstance(plain, (str, bool, int)):
        return plain
    raise TypeError(f"an attribute is a {type(plain).__name__}")


def _mapping(plain: object, keys: set[str]) -> Mapping[str, Any]:
    given = _of(dict, plain)
    if set(given) != keys:
        raise ValueError(f"the keys are {', '.join(map(str, given))[:200]}")
    return given


def _of(kind: type[T], value: object) -> T:
    """The value, if it is exactly of that type: True is no int here."""
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} was expected, not {type(value).__name__}")
    return value
