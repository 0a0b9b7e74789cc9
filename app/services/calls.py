"""Programmed calls and their traces: what the portal reads, and how long they stay.

The voice side writes them (app/services/trace_rows.py). What it could not finish, since it was killed, is closed by
app/services/broken_off.py.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, or_, select
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.errors import NotFound
from app.extensions import db
from app.models import Call, CallStep, Recording
from app.models.base import database_days_ago
from app.services import fields, paging, trace_text
from app.services.context import settings

log = logging.getLogger(__name__)
RUNNING = ("ringing", "in-progress")
FAILED = "failed"
BATCH = 200


@dataclass(frozen=True)
class StepFacts:
    """A line of a trace. kind: request, notice, verb or call; detail: see voice/twiml/trace.py, secrets are masked.

    seconds: None while it runs, and for what takes no time.
    """

    position: int
    kind: str
    what: str
    outcome: str
    at: datetime
    seconds: float | None
    detail: dict[str, Any] = field(default_factory=dict)


def get(sid: str) -> Call:
    """A programmed call by its sid; NotFound."""
    row = db.session.get(Call, sid) if fields.is_sid(sid, "CA") else None
    if row is None:
        raise NotFound("There is no such programmed call; perhaps its days are over.")
    return row


def steps(sid: str) -> list[StepFacts]:
    """The trace of a call, in its order."""
    rows = db.session.scalars(select(CallStep).where(CallStep.call_sid == sid).order_by(CallStep.position))
    return [
        StepFacts(row.position, row.kind, row.what, row.outcome, row.at, row.seconds, _plain(row.detail))
        for row in rows
    ]


def look(call: Call) -> tuple[object, ...]:
    """What differs whenever the page of a call would look different; cheaper than its trace."""
    row = (call.status, call.ended_at, call.answered_at, call.error_code, call.error, call.caller)
    columns = select(CallStep.position, CallStep.outcome, CallStep.seconds, func.length(CallStep.detail))
    steps_of = columns.where(CallStep.call_sid == call.sid).order_by(CallStep.position)
    return row, tuple(tuple(step) for step in db.session.execute(steps_of))


def listing(
    *, number_id: str = "", called: str = "", failed: bool = False, cursor: str | None = None, limit: int
) -> tuple[list[Call], str | None]:
    """Programmed calls, the newest first, and the cursor of the next page; Invalid for a wrong cursor.

    number_id: of one number; called: to what was dialled; else all. failed: only those in which something went wrong.
    """
    query = select(Call).where(*_chosen(number_id, called, failed))
    query = query.where(*paging.after(cursor, Call.started_at, Call.sid, lambda text: fields.is_sid(text, "CA")))
    rows = list(db.session.scalars(query.order_by(Call.started_at.desc(), Call.sid.desc()).limit(limit + 1)))
    following = paging.cursor_of(rows[limit - 1].started_at, rows[limit - 1].sid) if len(rows) > limit else None
    return rows[:limit], following


def latest(number_id: str, limit: int = 10) -> list[Call]:
    """The last calls of a number, the newest first."""
    return listing(number_id=number_id, limit=limit)[0]


def by_sip_call_ids(wanted: Sequence[str]) -> dict[str, str]:
    """Sids of programmed calls by their Call-ID on the wire; those that are none are left out."""
    if not wanted:
        return {}
    stored = {trace_text.line(call_id, 255): call_id for call_id in wanted}
    found = db.session.execute(select(Call.sip_call_id, Call.sid).where(Call.sip_call_id.in_(stored)))
    return {stored[call_id]: sid for call_id, sid in found if stored.get(call_id)}


def counts_of_day() -> dict[tuple[str, bool], int]:
    """How many calls began within a day, by status and whether something went wrong in them."""
    wrong = Call.error_code.is_not(None)
    query = select(Call.status, wrong, func.count()).where(Call.started_at >= database_days_ago(1))
    rows = db.session.execute(query.group_by(Call.status, wrong))
    return {(status, bool(is_wrong)): number for status, is_wrong, number in rows}


def went_wrong(call: Call) -> bool:
    """Whether the list of failed calls has it."""
    return call.error_code is not None or call.status == FAILED


def _chosen(number_id: str, called: str, failed: bool) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Call.number_id == number_id] if number_id else []
    if called:
        found.append(Call.called == called)
    if failed:
        found.append(or_(Call.error_code.is_not(None), Call.status == FAILED))
    return found


def _plain(detail: str) -> dict[str, Any]:
    """A detail as it was written; what another version wrote may be nothing of ours."""
    try:
        found = json.loads(detail)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def sweep() -> int:
    """Remove traces whose days are over, and their calls where no recording needs them; at most BATCH calls.

    Returns how many calls it was: with BATCH there may be more. Safe with several at once.
    """
    old = Call.started_at < database_days_ago(settings().programmable.trace_days)
    has_steps = exists().where(CallStep.call_sid == Call.sid)
    has_recordings = exists().where(Recording.call_sid == Call.sid)
    query = select(Call.sid).where(old, or_(has_steps, ~has_recordings)).order_by(Call.started_at).limit(BATCH)
    sids = list(db.session.scalars(query))
    db.session.rollback()
    for sid in sids:
        _remove(sid)
    if sids:
        log.info("the traces of %d programmed calls were too old and are gone", len(sids))
    return len(sids)


def _remove(sid: str) -> None:
    try:
        with writing():
            db.session.execute(delete(CallStep).where(CallStep.call_sid == sid))
            if not db.session.scalar(select(func.count()).where(Recording.call_sid == sid)):
                db.session.execute(delete(Call).where(Call.sid == sid))
    except IntegrityError:
        # A recording or a step of it came in this moment: the next sweep looks again.
        log.info("call=%s is still in use", sid)
