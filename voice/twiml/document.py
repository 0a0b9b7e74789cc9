"""A document as the interpreter takes it: steps with checked attributes, and what was wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from voice.errors import VoiceError


class DocumentError(VoiceError):
    """No document that can run. code: Twilio's number of the error; str() says in a sentence what is wrong, and where.

    line, column: from 1, or 0 where it is no matter of a place.
    """

    def __init__(self, code: int, text: str, line: int = 0, column: int = 0) -> None:
        super().__init__(text)
        self.code, self.line, self.column = code, line, column


@dataclass(frozen=True)
class Notice:
    """Something wrong that does not keep the document from running."""

    code: int
    text: str
    line: int
    column: int


@dataclass(frozen=True)
class Step:
    """A verb of a document. attributes: every attribute of the verb by its name, checked, defaults filled in.

    text: its text without white space around it. children: nested verbs, for Gather.
    """

    name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    children: tuple[Step, ...] = ()
    line: int = 0
    column: int = 0


@dataclass(frozen=True)
class Document:
    """What a URL answered. url: the one that it came from in the end; what is relative in it is relative to that."""

    url: str
    steps: tuple[Step, ...]
    notices: tuple[Notice, ...] = ()
