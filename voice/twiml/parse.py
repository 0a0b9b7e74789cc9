"""XML becomes a document: the table checks each verb and attribute, and what is wrong is told with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from voice.twiml import codes
from voice.twiml.document import Document, DocumentError, Notice, Step
from voice.twiml.kinds import Attribute, Support
from voice.twiml.speech_text import spoken
from voice.twiml.table import MOST_WORDS, NAMESPACE, NOT_YET, VERBS, Verb
from voice.twiml.tree import Element, Text, tree_of

MOST_NOTICES = 50
MOST_VERBS = 1000
"""Those nested in others counted. The process that paces media takes them over all at once, a millisecond for 300."""
_OURS = f"{{{NAMESPACE}}}"
# What editors and old examples put on the root; it says nothing about the call.
_IDLE_NAMESPACES = ("{http://www.w3.org/XML/1998/namespace}", "{http://www.w3.org/2001/XMLSchema-instance}")


def parse(body: bytes, url: str, *, strict: bool, charset: str = "") -> Document:
    """The document that `url` answered. charset: as its Content-Type says, if it does.

    DocumentError where it cannot run; strict: for whatever would else be a notice, too.
    """
    root = tree_of(body, charset)
    if _plain(root.name) != "Response":
        looks = " It looks like a web page." if root.name.rpartition("}")[2].lower() == "html" else ""
        hint = " (names are case-sensitive)" if _plain(root.name).lower() == "response" else ""
        text = f"{_where(root)}: the root is {_tag(root)}, and has to be <Response>{hint}.{looks}"
        raise DocumentError(codes.NOT_RESPONSE, text, root.line, root.column)
    return _Checker(strict).document(root, url)


def _plain(name: str) -> str:
    """A name without our namespace."""
    return name.removeprefix(_OURS)


def _where(place: Element | Text) -> str:
    return f"Line {place.line}, column {place.column}"


def _shown(text: str) -> str:
    """What a document says, short and in one line, as a notice may quote it."""
    text = "".join(letter if letter.isprintable() else " " for letter in text[:61])
    return text if len(text) <= 60 else f"{text[:60]}…"


def _tag(element: Element) -> str:
    return f"<{_shown(_plain(element.name))}>"


class _Checker:
    """Turns elements into steps and collects what was wrong; the same element always gives the same."""

    def __init__(self, strict: bool) -> None:
        self._strict = strict
        self._notices: list[Notice] = []
        self._left_out = self._verbs = 0

    def document(self, root: Element, url: str) -> Document:
        self._attributes(Verb("Response", "", ""), root)
        self._no_text(root, "Words between verbs are not said; they belong into <Say>")
        steps = tuple(step for element in root.elements if (step := self._step(element)))
        notices = sorted(self._notices, key=lambda notice: (notice.line, notice.column))
        if self._left_out:
            text = f"{self._left_out} more things are wrong."
            notices.append(Notice(codes.SCHEMA, text, notices[-1].line, notices[-1].column))
        return Document(url, steps, tuple(notices))

    def _step(self, element: Element) -> Step | None:
        name = _plain(element.name)
        verb = VERBS.get(name)
        if verb is None:
            self._unknown(element, name)
            return None
        self._count(element)
        attributes = self._attributes(verb, element)
        text = self._text(verb, element)
        if verb.needed and not text and not any(attributes.get(needed) for needed in verb.needed):
            what = "nothing to say" if verb.name == "Say" else "neither a URL nor digits"
            code = codes.SAY_TEXT if verb.name == "Say" else codes.SCHEMA
            self._notice(code, f"{_tag(element)} has {what}, and is left out", element)
            return None
        return Step(verb.name, attributes, text, self._children(verb, element), element.line, element.column)

    def _count(self, element: Element) -> None:
        self._verbs += 1
        if self._verbs > MOST_VERBS:
            text = f"{_where(element)}: the document has more than {MOST_VERBS} verbs."
            raise DocumentError(codes.TOO_LARGE, text, element.line, element.column)

    def _unknown(self, element: Element, name: str) -> None:
        if name in NOT_YET:
            self._notice(codes.UNSUPPORTED_VERB, f"{_tag(element)} is not supported yet, and is left out", element)
            return
        self._notice(codes.SCHEMA, f"{_tag(element)} is no verb, and is left out", element, (name, VERBS))

    def _attributes(self, verb: Verb, element: Element) -> dict[str, Any]:
        values = {row.name: row.default for row in verb.attributes if row.support is not Support.NOT_YET}
        for name, raw in element.attributes.items():
            if name.startswith(_IDLE_NAMESPACES):
                continue
            row = verb.attribute(_plain(name))
            if row is None:
                text = f"{_tag(element)} has no attribute {_shown(name)}; it is left out"
                self._notice(codes.SCHEMA, text, element, (name, [row.name for row in verb.attributes]))
            elif row.support is Support.NOT_YET:
                self._not_yet(row, raw, element)
            else:
                values[row.name] = self._value(row, raw, element)
        return values

    def _not_yet(self, row: Attribute, raw: str, element: Element) -> None:
        """Nothing is lost where it only says what happens anyway."""
        if raw.strip().casefold() != str(row.default).casefold():
            self._notice(row.code, f"{_tag(element)}: {row.name} is not supported yet; it is left out", element)

    def _value(self, row: Attribute, raw: str, element: Element) -> Any:
        try:
            return row.read(raw)
        except ValueError as error:
            given = f"{_tag(element)}: {row.name}=“{_shown(raw)}”"
            default = " ".join(row.default) if isinstance(row.default, tuple) else str(row.default)
            taken = row.shown or (default.lower() if isinstance(row.default, bool) else default) or "the default"
            later = " ".join(raw.split()).casefold() in row.later
            wrong = "is not supported yet" if later else f"has to be {error}"
            self._notice(row.code, f"{given} {wrong}; {taken} is taken", element)
            return row.default

    def _text(self, verb: Verb, element: Element) -> str:
        if verb.name == "Say":
            return self._words(element)
        if not verb.text:
            self._no_text(element, f"Text in {_tag(element)} means nothing")
            return ""
        return "".join(part.text for part in element.content if isinstance(part, Text)).strip()

    def _words(self, element: Element) -> str:
        markup = next(element.elements, None)
        if markup is not None:
            text = f"{_tag(markup)} in <Say> is not supported yet; the words in it are said"
            self._notice(codes.SAY_TEXT, text, markup)
        words = spoken(element)
        if len(words) > MOST_WORDS:
            self._notice(
                codes.SAY_LENGTH, f"<Say> has more than {MOST_WORDS} characters; the rest is not said", element
            )
        return words[:MOST_WORDS].rstrip()

    def _children(self, verb: Verb, element: Element) -> tuple[Step, ...]:
        if verb.name == "Say":
            return ()
        steps = []
        for child in element.elements:
            if _plain(child.name) in verb.children:
                steps.append(self._step(child))
            else:
                code = codes.GATHER_NESTED if verb.children else codes.SCHEMA
                takes = f"only {', '.join(verb.children)} can" if verb.children else "nothing can"
                text = f"{_tag(child)} is left out: {takes} stand in {_tag(element)}"
                self._notice(code, text, child, (_plain(child.name), verb.children))
        return tuple(step for step in steps if step)

    def _no_text(self, element: Element, text: str) -> None:
        for part in element.texts:
            self._notice(codes.SCHEMA, text, part)
            break

    def _notice(self, code: int, text: str, place: Element | Text, meant: tuple[str, Iterable[str]] = ("", ())) -> None:
        """meant: a name that is wrong, and those that would be right."""
        if len(self._notices) >= MOST_NOTICES:
            self._left_out += 1
            return
        text = f"{text}.{_suggestion(*meant)}"
        if self._strict:
            raise DocumentError(code, f"{_where(place)}: {text}", place.line, place.column)
        self._notices.append(Notice(code, text, place.line, place.column))


def _suggestion(name: str, names: Iterable[str]) -> str:
    if not name:
        return ""
    by_case = {known.casefold(): known for known in names}
    close = difflib.get_close_matches(name[:60].casefold(), by_case, 1, 0.6)
    return f" Did you mean {by_case[close[0]]}?" if close else ""
