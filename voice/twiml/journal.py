"""The trace of one call as it is written: lines in order, verbs with their start and their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from voice.errors import CallEnded
from voice.twiml.document import Notice, Step
from voice.twiml.errands import ErrandFailed, Exchange
from voice.twiml.trace import CALL, NOTICE, REQUEST, VERB, Entry, Ledger


class VerbLine:
    """A verb that runs. outcome: how it ends, in words; whoever runs it may say so before the end."""

    def __init__(self) -> None:
        self.outcome = ""


class Journal:
    """Numbers the lines of a call's trace and hands them to the ledger. Safe from any thread."""

    def __init__(self, ledger: Ledger, call_sid: str, now: Callable[[], datetime]) -> None:
        self._ledger, self._call_sid, self._now = ledger, call_sid, now
        self._next = 0
        self._lock = threading.Lock()

    def call(self, status: str, why: str = "") -> None:
        """The call has this status from now on."""
        self._write(CALL, status, why)

    def exchanges(self, exchanges: tuple[Exchange, ...]) -> None:
        """Requests, and what came back."""
        for one in exchanges:
            detail = {
                "parameters": [list(pair) for pair in one.parameters],
                "url": one.url,
                "status": one.status,
                "content_type": one.content_type,
                "body": one.body,
                "error": one.error,
            }
            outcome = one.error or f"{one.status} {one.content_type}".strip()
            self._write(REQUEST, f"{one.method} {one.url}", outcome, detail, at=one.at, seconds=one.seconds)

    def notice(self, notice: Notice) -> None:
        """Something that was wrong in a document."""
        detail = {"line": notice.line, "column": notice.column, "code": notice.code}
        self._write(NOTICE, notice.text, "", detail)

    def note(self, text: str, code: int = 0, step: Step | None = None) -> None:
        """Something that the developer should know."""
        self.notice(Notice(code, text, step.line if step else 0, step.column if step else 0))

    def failure(self, failure: ErrandFailed, then: str) -> None:
        """What ended a document, marked where it stands in it. then: how the call goes on, as a sentence."""
        self.notice(Notice(failure.code, f"{failure} {then}", failure.line, failure.column))

    @contextmanager
    def verb(self, step: Step) -> Iterator[VerbLine]:
        """A line for a verb: at its start, and again at its end with how it went."""
        line, began, at = VerbLine(), time.monotonic(), self._now().astimezone(UTC).isoformat()
        detail: dict[str, Any] = {
            "line": step.line,
            "column": step.column,
            "attributes": dict(step.attributes),
            "text": step.text,
        }
        position = self._write(VERB, step.name, "", detail, at=at)
        try:
            yield line
        except CallEnded as end:
            line.outcome = end.reason
            raise
        except ErrandFailed as failure:
            line.outcome = str(failure)
            detail = {**detail, "error": line.outcome}
            raise
        except Exception:
            line.outcome = "failed"
            raise
        finally:
            seconds = time.monotonic() - began
            self._write(VERB, step.name, line.outcome or "done", detail, at=at, seconds=seconds, position=position)

    def _write(
        self,
        kind: str,
        what: str,
        outcome: str = "",
        detail: Mapping[str, Any] | None = None,
        *,
        at: str = "",
        seconds: float | None = None,
        position: int | None = None,
    ) -> int:
        with self._lock:
            if position is None:
                position = self._next
                self._next += 1
            at = at or self._now().astimezone(UTC).isoformat()
            entry = Entry(self._call_sid, position, kind, what, at, outcome, seconds, detail or {})
            self._ledger.entry(entry)
        return position
