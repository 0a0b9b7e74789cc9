"""Programmed calls and their traces in the database: written, read, and removed when their days are over."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Call, CallStep, Number, Recording
from app.models.base import utc_now
from app.services import calls, trace_rows, trace_text
from voice.twiml.trace import REQUEST, VERB, CallState, Entry

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


def sid_of(number: int) -> str:
    """The sid of a test's call."""
    return f"CA{number:032x}"


STATE = CallState(sid_of(1), "", "+15551234", "1000", "ringing", NOW.isoformat(), sip_call_id="a@b")
ENTRY = Entry(sid_of(1), 0, VERB, "Play", NOW.isoformat(), detail={"line": 2})


def write(*things: CallState | Entry) -> None:
    """Write states and entries as the keeper does."""
    states = [asdict(one) for one in things if isinstance(one, CallState)]
    entries = [asdict(one) for one in things if isinstance(one, Entry)]
    trace_rows.write(trace_rows.told(states, entries))


def add_number() -> str:
    """The id of a new number."""
    row = Number(number="5551234", language="en", voice_url="http://127.0.0.1/")
    db.session.add(row)
    db.session.commit()
    return row.id


class TestWriting:
    def test_a_call_with_its_trace(self, any_app: Flask) -> None:
        number_id = add_number()
        state = replace(STATE, number_id=number_id)
        write(state, ENTRY, replace(ENTRY, position=1, kind=REQUEST, what="POST http://x/"))
        later = replace(state, status="completed", ended_at=(NOW + timedelta(seconds=9)).isoformat(), error_code=11200)
        write(later, replace(ENTRY, outcome="played to its end", seconds=1.5))
        row = calls.get(sid_of(1))
        assert (row.status, row.number_id, row.caller, row.error_code) == ("completed", number_id, "+15551234", 11200)
        assert (row.started_at, row.ended_at) == (NOW, NOW + timedelta(seconds=9))
        first, second = calls.steps(sid_of(1))
        assert (first.what, first.outcome, first.seconds, first.detail) == (
            "Play",
            "played to its end",
            1.5,
            {"line": 2},
        )
        assert (second.position, second.what, second.seconds) == (1, "POST http://x/", None)

    def test_steps_whose_call_nobody_told_of_make_it(self, any_app: Flask) -> None:
        write(ENTRY)
        assert (calls.get(sid_of(1)).status, calls.get(sid_of(1)).started_at) == ("in-progress", NOW)
        write(STATE)
        assert (calls.get(sid_of(1)).status, calls.get(sid_of(1)).caller) == ("ringing", "+15551234")
        write(replace(ENTRY, position=1))
        assert calls.get(sid_of(1)).caller == "+15551234"

    def test_a_number_that_is_gone_is_left_out(self, any_app: Flask) -> None:
        write(replace(STATE, number_id="00000000-0000-0000-0000-000000000000"), ENTRY)
        assert calls.get(sid_of(1)).number_id is None

    @pytest.mark.parametrize("text", ["\x00", "a\ud800", "😀" * 300, "x" * 5000, "\x1b[31m\r\n\u202e"])
    def test_hostile_text_is_kept_as_far_as_it_can_be(self, any_app: Flask, text: str) -> None:
        state = replace(STATE, caller=text, called=text, error=text, sip_call_id=text, status=text, direction=text)
        write(state, replace(ENTRY, what=text, outcome=text, kind=text, detail={text: [text, {text: text}]}))
        row, (step,) = calls.get(sid_of(1)), calls.steps(sid_of(1))
        assert row.caller == trace_text.storable(text, 128)
        assert step.what == trace_text.storable(text, 200)
        assert json.dumps(step.detail, ensure_ascii=False).encode()

    @pytest.mark.parametrize("wrong", [{"sid": "CA1"}, {"sid": None}, {}])
    def test_a_call_without_a_sid_is_left_out(self, any_app: Flask, wrong: dict[str, Any]) -> None:
        trace_rows.write(trace_rows.told([wrong, asdict(STATE)], [wrong]))
        assert db.session.scalar(select(func.count()).select_from(Call)) == 1

    @pytest.mark.parametrize(
        "wrong",
        [
            {"position": "1"}, {"position": -1}, {"position": 1 << 40}, {"at": "never"}, {"at": "0001-01-01T00:00:00"},
            {"seconds": float("nan")}, {"seconds": "long"}, {"detail": [1]}, {"kind": None}, {"detail": {"n": 1 << 90}},
        ],
    )  # fmt: skip
    def test_other_nonsense_keeps_nothing_else_from_being_written(self, any_app: Flask, wrong: dict[str, Any]) -> None:
        trace_rows.write(trace_rows.told([asdict(STATE)], [asdict(ENTRY), asdict(ENTRY) | {"position": 1} | wrong]))
        assert calls.steps(sid_of(1))[0].what == "Play"

    def test_many_at_once_from_two_sides(self, any_app: Flask) -> None:
        failures: list[BaseException] = []

        def work(status: str) -> None:
            try:
                with any_app.app_context():
                    for first in range(0, 30, 10):
                        states = [replace(STATE, sid=sid_of(n), status=status) for n in range(first, first + 10)]
                        write(
                            *states, *(replace(ENTRY, call_sid=one.sid, position=p) for one in states for p in (0, 1))
                        )
            except BaseException as error:
                failures.append(error)
                raise

        threads = [threading.Thread(target=work, args=(status,)) for status in ("busy", "failed")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert db.session.scalar(select(func.count()).select_from(CallStep)) == 60

    def test_a_long_trace_in_one_go(self, any_app: Flask) -> None:
        write(STATE, *(replace(ENTRY, position=n, detail={"body": "é" * 4000}) for n in range(501)))
        assert [step.position for step in calls.steps(sid_of(1))] == list(range(501))


class TestText:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("http://user:pass@host/a", "http://***@host/a"),
            ("see https://u@h and http://v@w:1/", "see https://***@h and http://***@w:1/"),
            ("http://user:pa'ss\"<>w@host/a", "http://***@host/a"),
            ("http://h/?token=ab'cd&x=1", "http://h/?token=***&x=1"),
            ("http://h/?a=b&token=abc&pin=1#x", "http://h/?a=b&token=***&pin=***#x"),
            ("http://h/?AuthToken=a%20b;c=d", "http://h/?AuthToken=***;c=d"),
            ('<Play>http://h/?x=1&amp;api_key=z</Play>', '<Play>http://h/?x=1&amp;api_key=***</Play>'),
            ('<Redirect>"/a?password=p"', '<Redirect>"/a?password=***"'),
            ("<Play>https://user:pass…", "<Play>https://***…"),
            ("<Play>https://user@host/a…", "<Play>https://***@host/a…"),
            ("mail anna@example.com", "mail anna@example.com"),
            ("http://h/?opinion=good&spinner=1", "http://h/?opinion=good&spinner=1"),
        ],
    )  # fmt: skip
    def test_secrets_of_urls_are_not_shown(self, text: str, shown: str) -> None:
        assert trace_text.line(text, 500) == shown

    @pytest.mark.parametrize(
        "name", ["Password", "userPin", "PIN", "auth", "X-Api-Key", "Key", "Authorization", "secret_1"]
    )
    def test_nor_fields_that_are_named_like_one(self, name: str) -> None:
        detail = {
            "parameters": [[name, "4711"], ["Digits", "4711"], ["finishOnKey", "#"]],
            name: "4711",
            "attributes": {name: "4711"},
        }
        shown = trace_text.detail(detail)
        assert json.loads(shown) == {
            "parameters": [[name, "***"], ["Digits", "4711"], ["finishOnKey", "#"]],
            name: "***",
            "attributes": {name: "***"},
        }

    @pytest.mark.parametrize(
        "detail",
        [
            {"body": "x" * 50_000},
            {"parameters": [["n", "中" * 2000]] * 500},
            {str(n) * 50: "x" * 2000 for n in range(500)},
            {"body": "\x00" * 9000, "error": "\ud800" * 9000},
            {"a": [[[[[[["x" * 1000] * 100] * 100] * 3] * 3] * 3] * 3]},
        ],
    )
    def test_a_detail_has_a_size(self, detail: dict[str, Any]) -> None:
        shown = trace_text.detail(detail)
        assert len(shown.encode()) <= trace_text.LONGEST_DETAIL
        assert json.loads(shown)

    def test_a_long_url_is_kept_in_the_detail(self) -> None:
        told = trace_rows.told([], [asdict(replace(ENTRY, kind=REQUEST, what="GET http://h/" + "a" * 300))])
        row = told.steps[sid_of(1), 0]
        assert len(row["what"]) == 200
        assert json.loads(row["detail"])["what"].endswith("aaa")


class TestReading:
    def test_unknown_calls(self, app: Flask) -> None:
        with app.app_context():
            for sid in (sid_of(1), "", "CAxyz", "\x00", "CA" + "0" * 31 + "\n"):
                with pytest.raises(NotFound):
                    calls.get(sid)

    def test_the_list_in_pages(self, any_app: Flask) -> None:
        number_id = add_number()
        for n in range(5):
            # Two at the same moment: their sids tell them apart.
            when = NOW + timedelta(seconds=n // 2)
            write(replace(STATE, sid=sid_of(n), started_at=when.isoformat(), number_id=number_id if n % 2 else ""))
        seen: list[str] = []
        cursor = None
        while True:
            rows, cursor = calls.listing(limit=2, cursor=cursor)
            seen += [row.sid for row in rows]
            if cursor is None:
                break
        assert seen == [sid_of(n) for n in (4, 3, 2, 1, 0)]
        assert [row.sid for row in calls.latest(number_id)] == [sid_of(3), sid_of(1)]
        with pytest.raises(Invalid):
            calls.listing(limit=2, cursor="nonsense")

    def test_only_what_went_wrong(self, any_app: Flask) -> None:
        write(STATE, replace(STATE, sid=sid_of(2), status="failed"), replace(STATE, sid=sid_of(3), error_code=11200))
        assert {row.sid for row in calls.listing(failed=True, limit=9)[0]} == {sid_of(2), sid_of(3)}
        assert calls.counts_of_day() == {}
        write(replace(STATE, started_at=utc_now().isoformat()))
        assert calls.counts_of_day() == {("ringing", False): 1}

    def test_by_the_call_id_of_the_wire(self, app: Flask) -> None:
        with app.app_context():
            write(STATE, replace(STATE, sid=sid_of(2), sip_call_id="", simulated=True))
            assert calls.by_sip_call_ids(["a@b", "", "x"]) == {"a@b": sid_of(1)}
            assert calls.by_sip_call_ids([]) == {}


class TestRetention:
    def test_old_traces_go_and_calls_without_recordings(self, any_app: Flask) -> None:
        old, new = utc_now() - timedelta(days=31), utc_now() - timedelta(days=29)
        for n, when in enumerate((old, old, new)):
            state = replace(STATE, sid=sid_of(n), started_at=when.isoformat(), status="completed")
            write(state, replace(ENTRY, call_sid=state.sid))
        db.session.add(Recording(sid="RE" + "0" * 32, call_sid=sid_of(1), status="completed"))
        db.session.commit()
        assert calls.sweep() == 2
        assert calls.sweep() == 0
        assert set(db.session.scalars(select(Call.sid))) == {sid_of(1), sid_of(2)}
        assert set(db.session.scalars(select(CallStep.call_sid))) == {sid_of(2)}
