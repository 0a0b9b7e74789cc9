"""Programmed calls that run by their rows alone: whoever served them was killed, so nobody will write their end."""

from __future__ import annotations

import logging
from collections.abc import Collection

from sqlalchemy import and_, exists, select, update

from app.database import writing
from app.errors import Unavailable
from app.extensions import db
from app.jobs.queue import VOICE_TIMEOUT_SECONDS
from app.models import Call, CallStep
from app.models.base import database_days_ago, database_now, database_seconds_ago
from app.services import trace_text, workers
from app.services.calls import FAILED, RUNNING

log = logging.getLogger(__name__)
BATCH = 500
# No call is that long, and nothing was told of it since.
FORGOTTEN_DAYS = 1
BROKEN_OFF = "The call was broken off: its voice worker, or the job of a simulated call, ended in the middle of it."


def suspects() -> frozenset[str]:
    """Sids of calls that run, and that no living voice worker serves now; of simulated ones whose job is over by now.

    One look is no proof: the call may have ended in this moment, or Redis may be empty since it has just started.
    Where it cannot be known who is served, nobody is suspected.
    """
    lately = Call.status.in_(RUNNING), Call.started_at >= database_days_ago(FORGOTTEN_DAYS)
    rows = db.session.execute(select(Call.sid, Call.sip_call_id).where(*lately, Call.sip_call_id != ""))
    running = {sid: _key(call_id) for sid, call_id in rows}
    # One without a line of its trace waits for its job.
    begun = exists().where(CallStep.call_sid == Call.sid)
    over = Call.started_at < database_seconds_ago(VOICE_TIMEOUT_SECONDS)
    simulated = db.session.scalars(select(Call.sid).where(*lately, Call.simulated.is_(True), over, begun)).all()
    db.session.rollback()
    served = _served() if running else None
    lost = () if served is None else (sid for sid, key in running.items() if key not in served)
    return frozenset((*lost, *simulated))


def close(sids: Collection[str]) -> int:
    """End those of these calls that still run, as failed; how many. What a worker writes of one later counts."""
    wanted, closed = sorted(sids), 0
    for start in range(0, len(wanted), BATCH):
        with writing():
            # In the order of their sids: two that do this at once wait for each other's rows, but not both.
            chosen = select(Call.sid).where(Call.sid.in_(wanted[start : start + BATCH]), Call.status.in_(RUNNING))
            found = list(db.session.scalars(chosen.order_by(Call.sid).with_for_update()))
            change = update(Call).where(Call.sid.in_(found))
            change = change.values(status=FAILED, error=BROKEN_OFF, ended_at=database_now())
            db.session.execute(change.execution_options(synchronize_session=False))
        closed += len(found)
    if closed:
        log.warning("%d programmed calls were broken off and are closed", closed)
    return closed


def close_forgotten() -> int:
    """End calls of which nothing was told for long; how many."""
    since = database_days_ago(FORGOTTEN_DAYS)
    told = exists().where(and_(CallStep.call_sid == Call.sid, CallStep.at >= since))
    query = select(Call.sid).where(Call.status.in_(RUNNING), Call.started_at < since, ~told).limit(BATCH)
    sids = list(db.session.scalars(query))
    db.session.rollback()
    return close(sids)


def _served() -> frozenset[str] | None:
    """Keys of the calls that voice workers serve; None where not all are known."""
    try:
        found = workers.calls()
    except Unavailable:
        return None
    call_ids = [trace_text.line(call.call_id, workers.LONGEST_CALL_ID) for call in found.calls if call.call_id]
    # A worker with very many calls lists the first of them only.
    return frozenset(map(_key, call_ids)) if len(call_ids) >= found.total else None


def _key(call_id: str) -> str:
    """A Call-ID without the mark that a row has at the end of one that was too long for it."""
    return call_id[: workers.LONGEST_CALL_ID - 1]
