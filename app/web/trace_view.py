"""A trace as the page shows it: when each line began, in which tone it is said, and where a document was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.services.calls import StepFacts

REQUEST, NOTICE, VERB, CALL = "request", "notice", "verb", "call"
BADGES = {REQUEST: "Request", NOTICE: "Problem", CALL: "Call"}
STATUS_WORDS = {
    "ringing": "Rings",
    "in-progress": "Runs",
    "completed": "Completed",
    "busy": "Refused as busy",
    "failed": "Failed",
    "no-answer": "Not answered",
    "canceled": "Given up by the caller",
}
# How the interpreter calls the end of a call that its documents brought about.
OUTCOME_WORDS = {
    "document": "its documents came to their end",
    "error": "its documents failed",
    "key": "a key ended the message",
    "silence": "silence ended the message",
    "tone": "a tone of the network ended the message",
    "limit": "the message reached its longest duration",
    "rejected": "Reject refused it",
}
MEANT_EMPTY = ("finishOnKey",)
MOST_LINES, LONGEST_LINE = 200, 1000


@dataclass(frozen=True)
class Source:
    """A line of a document, numbered from 1. wrong: its part from where something is wrong in it on."""

    number: int
    text: str
    wrong: str = ""


@dataclass(frozen=True)
class TraceLine:
    """A line of the page. offset: seconds since the call began. wrong: it failed, or says what is wrong.

    parameters: of a request, names and values. source: the document that came. excerpt: the line of the document that
    this line is about. place: that line and its column in words, or empty.
    """

    step: StepFacts
    offset: float
    badge: str
    title: str
    outcome: str
    wrong: bool
    running: bool
    parameters: tuple[tuple[str, str], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    source: tuple[Source, ...] = ()
    excerpt: Source | None = None
    place: str = ""


def lines(steps: Sequence[StepFacts], started_at: datetime, *, over: bool) -> list[TraceLine]:
    """The lines of a trace. over: the call has ended, so nothing of it runs any more."""
    found: list[TraceLine] = []
    document: int | None = None
    for step in steps:
        line = _line(step, started_at, over)
        if line.source:
            document = len(found)
        if step.kind in (NOTICE, VERB) and document is not None:
            line, found[document] = _placed(line, found[document])
        found.append(line)
    return found


def visible(text: Any) -> str:
    """Text of strangers as it can be shown: what controls the direction or the terminal becomes U+FFFD."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in str(text))


def offset_words(seconds: float) -> str:
    """A time since the call began: 0:03.2."""
    tenths = max(0, round(seconds * 10))
    return f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"


def seconds_words(seconds: float) -> str:
    """How long something took: 12 ms, 3.4 s."""
    return f"{seconds * 1000:.0f} ms" if abs(seconds) < 1 else f"{seconds:.1f} s"


def _line(step: StepFacts, started_at: datetime, over: bool) -> TraceLine:
    detail = step.detail
    failed = step.kind == NOTICE or bool(detail.get("error")) or _number(detail.get("status")) >= 400
    return TraceLine(
        step=step,
        offset=(step.at - started_at).total_seconds(),
        badge=BADGES.get(step.kind, "") or visible(step.kind.capitalize()),
        title=STATUS_WORDS.get(step.what, step.what) if step.kind == CALL else str(detail.get("what") or step.what),
        outcome=OUTCOME_WORDS.get(step.outcome, step.outcome) if step.kind == CALL else step.outcome,
        wrong=failed,
        running=step.kind == VERB and not step.outcome and not over,
        parameters=_pairs(detail.get("parameters")) if step.kind == REQUEST else (),
        attributes=_given(detail.get("attributes")) if step.kind == VERB else (),
        source=_source(detail.get("body")) if step.kind == REQUEST else (),
    )


def _placed(line: TraceLine, document: TraceLine) -> tuple[TraceLine, TraceLine]:
    """A line with the place that it names in the document, and the document with that place marked if it is wrong."""
    number, column = _number(line.step.detail.get("line")), _number(line.step.detail.get("column"))
    if number < 1:
        return line, document
    place = f"line {number}, column {column}" if column > 0 else f"line {number}"
    if line.step.kind != NOTICE:
        return replace(line, place=place), document
    source = list(document.source)
    if number > len(source):
        return replace(line, place=place), document
    found = source[number - 1]
    whole = found.text + found.wrong
    excerpt = _marked(number, whole, column)
    # The document is marked from the first thing that is wrong in the line.
    source[number - 1] = _marked(number, whole, min(column, len(found.text) + 1) if found.wrong else column)
    return replace(line, place=place, excerpt=excerpt), replace(document, source=tuple(source))


def _marked(number: int, text: str, column: int) -> Source:
    """A line that is wrong from a column on, or where that is none, all of it."""
    start = column - 1 if 0 < column <= len(text) else len(text) - len(text.lstrip())
    return Source(number, text[:start], text[start:])


def _source(body: Any) -> tuple[Source, ...]:
    if not isinstance(body, str) or not body.strip():
        return ()
    # As XML counts them: no other character ends a line.
    texts = body.rstrip().replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MOST_LINES]
    return tuple(Source(number, text[:LONGEST_LINE]) for number, text in enumerate(texts, 1))


def _given(value: Any) -> tuple[tuple[str, str], ...]:
    """Attributes of a verb, without those that are empty and mean nothing by it."""
    return tuple((name, text) for name, text in _pairs(value) if text or name in MEANT_EMPTY)


def _pairs(value: Any) -> tuple[tuple[str, str], ...]:
    """Names and values, whether they were written as pairs or as an object."""
    if isinstance(value, dict):
        value = list(value.items())
    if not isinstance(value, list):
        return ()
    return tuple((str(one[0]), _said(one[1])) for one in value if isinstance(one, list | tuple) and len(one) == 2)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return " ".join(map(_said, value))
    return "" if value is None else str(value)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
