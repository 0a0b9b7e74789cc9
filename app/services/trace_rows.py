"""Rows of programmed calls and their traces as the voice side tells them: checked, cut, and written all at once."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError

from app.database import writing
from app.extensions import db
from app.models import Call, CallStep, Number
from app.models.base import utc_now
from app.services import fields, trace_text

log = logging.getLogger(__name__)
AT_ONCE = 200
LONGEST_POSITION, LONGEST_WHAT = 1_000_000, 200


@dataclass(frozen=True)
class Told:
    """What is to be written: rows of calls and of steps by their columns. Made by told()."""

    calls: Mapping[str, dict[str, Any]]
    steps: Mapping[tuple[str, int], dict[str, Any]]

    def of(self, sid: str) -> Told:
        """What belongs to one call."""
        mine = {key: row for key, row in self.steps.items() if key[0] == sid}
        return Told({sid: self.calls[sid]} if sid in self.calls else {}, mine)


def told(states: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> Told:
    """Rows of what voice/twiml/trace.py calls CallState and Entry, as plain values; what makes no sense is left out.

    The later of two for the same call, or for the same line of a call, is taken.
    """
    calls: dict[str, dict[str, Any]] = {}
    steps: dict[tuple[str, int], dict[str, Any]] = {}
    for state in states:
        if (row := _call(state)) is not None:
            calls[row["sid"]] = row
    for entry in entries:
        if (row := _step(entry)) is not None:
            steps[row["call_sid"], row["position"]] = row
    return Told(calls, steps)


def write(found: Told) -> None:
    """Write it in one transaction, over what is there. SQLAlchemyError where the database is away.

    A call that is not known yet is made, and its row filled in by a later state. Safe beside others that do the same.
    """
    if not found.calls and not found.steps:
        return
    try:
        _write(found)
    except (IntegrityError, DataError):
        # A number that was removed meanwhile, or values that the database does not take: one of them, not all.
        for sid in sorted({*found.calls, *(key[0] for key in found.steps)}):
            _write_one(sid, found.of(sid))


def expect(sid: str, *, number_id: str, caller: str, called: str) -> None:
    """A simulated call is about to begin; where it has begun already, its row stays as it is."""
    row = _blank(sid, utc_now())
    row |= {"number_id": number_id, "caller": caller, "called": called, "simulated": True, "status": "ringing"}
    with writing():
        _upsert(Call.__table__, [row], ("sid",), replace=False)


def _write_one(sid: str, found: Told) -> None:
    try:
        _write(found)
    except (IntegrityError, DataError) as error:
        log.error("call=%s its trace is not written: %s", sid, error.orig)


def _write(found: Told) -> None:
    with writing():
        wanted = {row["number_id"] for row in found.calls.values() if row["number_id"]}
        known = set(db.session.scalars(select(Number.id).where(Number.id.in_(wanted)))) if wanted else set()
        # In the order of their keys: two that do this at once wait for each other's rows, but not both.
        calls = [
            row | {"number_id": row["number_id"] if row["number_id"] in known else None}
            for _, row in sorted(found.calls.items())
        ]
        steps = [row for _, row in sorted(found.steps.items())]
        _upsert(Call.__table__, calls, ("sid",), replace=True)
        _upsert(Call.__table__, _unknown(found), ("sid",), replace=False)
        _upsert(CallStep.__table__, steps, ("call_sid", "position"), replace=True)


def _unknown(found: Told) -> list[dict[str, Any]]:
    """A row for each call of which only steps were told: its state was lost, or follows."""
    first: dict[str, datetime] = {}
    for (sid, _), row in sorted(found.steps.items()):
        first.setdefault(sid, row["at"])
    return [_blank(sid, at) for sid, at in sorted(first.items()) if sid not in found.calls]


def _blank(sid: str, at: datetime) -> dict[str, Any]:
    texts = {
        "direction": "inbound",
        "status": "in-progress",
        "caller": "",
        "called": "",
        "sip_call_id": "",
        "error": "",
    }
    return {"sid": sid, "number_id": None, "simulated": False, "started_at": at, **texts}


def _upsert(table: Any, rows: list[dict[str, Any]], key: tuple[str, ...], *, replace: bool) -> None:
    """Insert rows; those whose key is there already replace the others, or are left out."""
    for start in range(0, len(rows), AT_ONCE):
        db.session.execute(_statement(table, rows[start : start + AT_ONCE], key, replace))


def _statement(table: Table, rows: list[dict[str, Any]], key: tuple[str, ...], replace: bool) -> Any:
    dialect = db.engine.dialect.name
    changed = [name for name in rows[0] if name not in key]
    if dialect in ("mysql", "mariadb"):
        onto = mysql.insert(table).values(rows)
        # Nothing changes where a key is set to itself.
        return onto.on_duplicate_key_update({name: onto.inserted[name] for name in (changed if replace else key[:1])})
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    over: Any = insert(table).values(rows)
    if not replace:
        return over.on_conflict_do_nothing(index_elements=key)
    return over.on_conflict_do_update(index_elements=key, set_={name: over.excluded[name] for name in changed})


def _call(state: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row of a CallState; None where it has no sid."""
    sid, number_id = str(state.get("sid")), str(state.get("number_id"))
    if not fields.is_sid(sid, "CA"):
        return None
    code = state.get("error_code")
    return {
        "sid": sid,
        "number_id": number_id if fields.is_id(number_id) else None,
        "direction": _text(state, "direction", 20) or "inbound",
        "caller": _text(state, "caller", 128),
        "called": _text(state, "called", 128),
        "status": _text(state, "status", 20),
        "sip_call_id": _text(state, "sip_call_id", 255),
        "simulated": state.get("simulated") is True,
        "error_code": code if isinstance(code, int) and 0 < code < 1 << 31 else None,
        "error": _text(state, "error", 500),
        "started_at": _time(state.get("started_at")) or utc_now(),
        "answered_at": _time(state.get("answered_at")),
        "ended_at": _time(state.get("ended_at")),
    }


def _step(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    """The row of an Entry; None where it does not say which line of which call it is."""
    sid, position, detail = str(entry.get("call_sid")), entry.get("position"), entry.get("detail")
    if not fields.is_sid(sid, "CA") or not isinstance(position, int) or not 0 <= position <= LONGEST_POSITION:
        return None
    seconds, what = entry.get("seconds"), str(entry.get("what"))
    shown = dict(detail) if isinstance(detail, Mapping) else {}
    if len(what) > LONGEST_WHAT:
        # The whole URL of a request, where it is a long one.
        shown = {"what": what, **shown}
    return {
        "call_sid": sid,
        "position": position,
        "kind": _text(entry, "kind", 16),
        "what": _text(entry, "what", LONGEST_WHAT),
        "outcome": _text(entry, "outcome", 500),
        "at": _time(entry.get("at")) or utc_now(),
        "seconds": float(seconds) if isinstance(seconds, int | float) and math.isfinite(seconds) else None,
        "detail": trace_text.detail(shown),
    }


def _text(plain: Mapping[str, Any], name: str, longest: int) -> str:
    value = plain.get(name)
    return trace_text.line("" if value is None else str(value), longest)


def _time(value: Any) -> datetime | None:
    """A time in ISO 8601 that every database takes; None for anything else."""
    try:
        found = datetime.fromisoformat(value)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if 1970 <= found.year <= 9998 else None
