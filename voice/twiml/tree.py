"""The XML of a document as a tree of elements with their places; nothing that XML can be abused for is taken."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from voice.twiml.codes import EMPTY_BODY, NOT_XML, TOO_LARGE
from voice.twiml.document import DocumentError
from voice.twiml.encodings import decoded
from voice.twiml.table import NAMESPACE

MOST_BYTES = 64 * 1024
MOST_DEPTH = 32
"""Elements within each other, the root counted."""


@dataclass(frozen=True)
class Text:
    """A piece of text; line and column, from 1, are of its first character that is no white space."""

    text: str
    line: int
    column: int


@dataclass(frozen=True)
class Element:
    """A name in a namespace is `{namespace}name`, of an attribute too. line, column: of its tag, from 1."""

    name: str
    attributes: dict[str, str]
    line: int
    column: int
    content: list[Element | Text] = field(default_factory=list)

    @property
    def elements(self) -> Iterator[Element]:
        return (part for part in self.content if isinstance(part, Element))

    @property
    def texts(self) -> Iterator[Text]:
        """Its own text, without white space alone."""
        return (part for part in self.content if isinstance(part, Text) and part.text.strip())


def tree_of(body: bytes, charset: str = "") -> Element:
    """The root of a document. charset: as HTTP told it, if it did. DocumentError, with line and column where it can."""
    if len(body) > MOST_BYTES:
        raise DocumentError(TOO_LARGE, f"The document has {len(body)} bytes; {MOST_BYTES} are the most.")
    if not body.strip():
        raise DocumentError(EMPTY_BODY, "The answer is empty. A document that does nothing is <Response/>.")
    text = decoded(body, charset)
    builder = _Builder()
    # The encoding is told, so the parser does not look at the one that the document says.
    parser = DefusedXMLParser(target=builder, encoding="utf-8", forbid_dtd=True)
    expat = parser.parser
    expat.buffer_text = False  # each piece of text comes with its own place
    builder.place = lambda: (expat.CurrentLineNumber, expat.CurrentColumnNumber + 1)
    try:
        parser.feed(text.encode())
        root: Element = parser.close()
    except ET.ParseError as error:
        line, column = error.position
        # Of what is missing at the very end, the parser gives no reason beyond "no element found".
        raise _broken(str(error).rpartition(": line ")[0] or str(error), text, line, column + 1) from None
    except DefusedXmlException:
        raise _broken("it has a document type (DTD), which is not taken", text, *builder.place()) from None
    return root


class _Builder:
    """What the parser tells, made into elements."""

    def __init__(self) -> None:
        self.place: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self._root: Element | None = None
        self._open: list[Element] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        line, column = self.place()
        element = Element(name, attributes, line, column)
        if len(self._open) >= MOST_DEPTH:
            where = f"Line {line}, column {column}"
            raise DocumentError(NOT_XML, f"{where}: more than {MOST_DEPTH} elements within each other.", line, column)
        if self._open:
            self._open[-1].content.append(element)
        else:
            self._root = element
        self._open.append(element)

    def end(self, _: str) -> None:
        self._open.pop()

    def data(self, data: str) -> None:
        line, column = self.place()
        before = len(data) - len(data.lstrip())
        self._open[-1].content.append(Text(data, line, column + before))

    def close(self) -> Element | None:
        return self._root


def _broken(why: str, text: str, line: int, column: int) -> DocumentError:
    said = f"Line {line}, column {column}: this is no XML that can be taken: {why}."
    return DocumentError(NOT_XML, f"{said}{_guess(text) or _hint(why, text, line)}", line, column)


def _hint(why: str, text: str, line: int) -> str:
    """What is often behind what the parser says."""
    if why == "unbound prefix":
        return f' Each prefix has to be declared, such as xmlns:v="{NAMESPACE}".'
    if why == "undefined entity":
        return " XML has only &amp; &lt; &gt; &quot; and &apos;."
    if why.startswith("not well-formed") and "&" in "".join(text.split("\n")[line - 1 : line]):
        return " A bare & is written &amp;."
    return ""


def _guess(text: str) -> str:
    """What the answer is instead."""
    start = text.lstrip()[:200].lower()
    if start.startswith(("<!doctype html", "<html")):
        return " It looks like a web page, maybe one with an error of the server."
    if start.startswith(("{", "[")):
        return " It looks like JSON."
    if not start.startswith("<"):
        return " It does not begin with a tag."
    if text[0].isspace() and start.startswith("<?xml"):
        return " White space comes before the XML declaration."
    return ""
