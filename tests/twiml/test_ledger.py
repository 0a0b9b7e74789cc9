"""Traces on their way: what ledgers tell, what the writer gathers, what it gives up."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support import until
from voice.twiml import ledger
from voice.twiml.ledger import KeeperLedger, TraceWriter, WriterLedger
from voice.twiml.trace import NOTICE, VERB, CallState, Entry

SID = "CA" + "0" * 32
STATE = CallState(SID, "", "+15551234", "1000", "ringing", "2026-11-26T10:00:00+00:00")
ENTRY = Entry(SID, 0, VERB, "Play", "2026-11-26T10:00:01+00:00", detail={"line": 2, "attributes": {"loop": 1}})


class Book:
    """Where the writer writes; away as long as it is told so."""

    def __init__(self) -> None:
        self.written: list[tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]] = []
        self.away = False
        self.tries = 0

    def write(self, states: Any, entries: Any) -> None:
        self.tries += 1
        if self.away:
            raise OSError("the database is away")
        self.written.append((states, entries))


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def writer(book: Book) -> TraceWriter:
    return TraceWriter(book.write)


@pytest.fixture
def running(writer: TraceWriter, monkeypatch: pytest.MonkeyPatch) -> Iterator[TraceWriter]:
    """The writer at work, with less patience."""
    monkeypatch.setattr(ledger, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(ledger, "RETRY_SECONDS", 0.01)
    thread = threading.Thread(target=writer.run)
    thread.start()
    yield writer
    writer.stop()
    thread.join()


class TestKeeperLedger:
    def test_tells_the_keeper_in_lines_of_json(self) -> None:
        told: list[dict[str, Any]] = []
        teller = KeeperLedger(told.append)
        teller.call(STATE)
        teller.entry(ENTRY)
        assert json.loads(json.dumps(told[0])) == {"ask": "call state", "state": vars(STATE)}
        assert json.loads(json.dumps(told[1]))["entry"]["detail"] == {"line": 2, "attributes": {"loop": 1}}

    @pytest.mark.parametrize(
        ("detail", "told"),
        [
            ({"body": "x" * 100_000}, {"body": "x" * 3999 + "…"}),
            ({"parameters": (("a", "b"),)}, {"parameters": [["a", "b"]]}),
            ({"what": object}, {"what": "<class 'object'>"}),
            ({"many": list(range(1000))}, {"many": list(range(100))}),
            ({"deep": [[[[[[1]]]]]]}, {"deep": [[[["…"]]]]}),
            ({"text": "\x00\ud800"}, {"text": "\x00\ud800"}),
        ],
    )
    def test_says_what_json_can_carry_and_no_more_than_needed(self, detail: Any, told: Any) -> None:
        requests: list[dict[str, Any]] = []
        KeeperLedger(requests.append).entry(replace(ENTRY, detail=detail))
        assert json.loads(json.dumps(requests))[0]["entry"]["detail"] == told

    def test_a_trace_without_end_is_told_to_its_limit(self) -> None:
        told: list[dict[str, Any]] = []
        teller = KeeperLedger(told.append)
        for position in range(ledger.MOST_STEPS + 50):
            teller.entry(replace(ENTRY, position=position))
        assert len(told) == ledger.MOST_STEPS + 1
        assert told[-2]["entry"]["kind"] == VERB
        assert told[-1]["entry"] | {"at": ""} == vars(
            Entry(SID, 500, NOTICE, "The trace ends here: it has 500 lines.", "")
        )


class TestTraceWriter:
    def test_writes_all_that_waits_at_once(self, writer: TraceWriter, book: Book) -> None:
        teller = WriterLedger(writer)
        teller.call(STATE)
        for position in range(3):
            teller.entry(replace(ENTRY, position=position))
        teller.call(replace(STATE, status="in-progress"))
        teller.entry(replace(ENTRY, position=1, outcome="ended"))
        assert writer.flush()
        ((states, entries),) = book.written
        assert [state["status"] for state in states] == ["in-progress"]
        assert [(entry["position"], entry["outcome"]) for entry in entries] == [(0, ""), (1, "ended"), (2, "")]

    def test_takes_only_what_is_for_it(self, writer: TraceWriter, book: Book) -> None:
        assert not writer.take({"ask": "mailbox"})
        assert writer.take({"ask": "call state"})
        assert writer.take({"ask": "call step", "entry": "nonsense"})
        assert writer.flush()
        assert not book.written

    def test_writes_by_itself_and_what_is_left_at_the_end(self, running: TraceWriter, book: Book) -> None:
        WriterLedger(running).call(STATE)
        until(lambda: book.written)
        WriterLedger(running).entry(ENTRY)
        running.stop()
        until(lambda: len(book.written) == 2)

    def test_what_cannot_be_written_is_tried_again(
        self, running: TraceWriter, book: Book, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        book.away = True
        WriterLedger(running).call(STATE)
        WriterLedger(running).entry(ENTRY)
        until(lambda: book.tries >= 3)
        WriterLedger(running).entry(replace(ENTRY, outcome="ended"))
        book.away = False
        until(lambda: book.written)
        until(lambda: "written again" in caplog.text)
        assert sum(len(states) for states, _ in book.written) == 1
        assert book.written[-1][1][-1]["outcome"] == "ended"
        assert caplog.text.count("cannot be written") == 1
        assert "the database is away" in caplog.text

    def test_gives_up_the_oldest_lines_and_counts_them(
        self, writer: TraceWriter, book: Book, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caplog.set_level(logging.INFO)
        monkeypatch.setattr(ledger, "MOST_WAITING", 10)
        book.away = True
        teller = WriterLedger(writer)
        for position in range(8):
            teller.entry(replace(ENTRY, position=position))
        assert not writer.flush()
        for position in range(8, 15):
            teller.entry(replace(ENTRY, position=position))
        assert not writer.flush()
        book.away = False
        assert writer.flush()
        assert [entry["position"] for entry in book.written[0][1]] == list(range(5, 15))
        assert "5 lines were given up" in caplog.text
