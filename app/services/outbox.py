"""The outbox: which delivery may start, who works on it, and what became of it.

A delivery is claimed by one conditional UPDATE that raises its fencing number; every later word of
the claimant counts only as long as that number stands. The database's clock is the only one.
Each function here is a transaction of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Row, Select, Update, and_, exists, or_, select, update

from app.config import DeliverySettings
from app.database import afterwards, writing
from app.extensions import db
from app.jobs import queue
from app.models import Delivery, Message, Recording
from app.models.base import database_now
from app.models.delivery import DONE, FAILED, PENDING, RUNNING, SKIPPED
from app.services import lanes
from app.services import outbox_statements as statements
from app.services.context import settings
from app.services.outbox_rows import EMAIL, LAST, POSITIONS, UPLOAD, WEBHOOK

# Deliveries that failed together are not tried again together: waits are longer by up to this part.
JITTER = 0.25
# The longest that another side may ask us to wait for (Retry-After).
LONGEST_WISH_SECONDS = 3600.0
_HEAD_START = timedelta(seconds=statements.HEAD_START_SECONDS)
_OVERDUE = timedelta(seconds=statements.OVERDUE_SECONDS)
WORKER_ENDED = "the worker ended in the middle of an attempt"


@dataclass(frozen=True)
class Claim:
    """The right to work on a delivery, as long as `fencing` is the row's number."""

    delivery_id: str
    event_id: str
    event: str
    message_id: str | None
    mailbox_id: str | None
    recording_sid: str | None
    kind: str
    target: str
    idempotency_key: str
    attempt: int
    fencing: int
    started_at: datetime
    claimed: float = field(default_factory=time.monotonic)

    @property
    def now(self) -> datetime:
        """The database's clock, without asking it again: when the claim began, and what went by here since."""
        return self.started_at + timedelta(seconds=time.monotonic() - self.claimed)


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: done, failed (for good), skipped, or pending (to be tried again).

    changes: runs inside the transaction of the outcome, and only if it counts.
    after: runs when that transaction is over; its argument says whether the outcome counted.
    retry_after: seconds that the other side asked for.
    """

    state: str
    error: str = ""
    retry_after: float | None = None
    changes: Callable[[], None] | None = None
    after: Callable[[bool], None] | None = None


def claim(delivery_id: str) -> Claim | None:
    """Take a delivery to work on; None where it is not due, or another has it."""
    with writing():
        row = db.session.execute(statements.CLAIMABLE, {"a_id": delivery_id}).first()
        if row is None or (row.lane and not lanes.take(row.lane, row.now)):
            return None
        mine = _claim_of(row)
        took = _run(
            statements.TAKE,
            a_id=mine.delivery_id,
            a_fencing=mine.fencing,
            a_attempt=mine.attempt,
            a_now=row.now,
            a_lease_until=row.now + _lease(),
        )
        if not took:
            db.session.rollback()
    return mine if took else None


def _claim_of(row: Row[Any]) -> Claim:
    return Claim(
        row.id,
        row.event_id,
        row.event,
        row.message_id,
        row.mailbox_id,
        row.recording_sid,
        row.kind,
        row.target,
        row.idempotency_key,
        row.attempts + 1,
        row.fencing + 1,
        row.now,
    )


def renew(claim: Claim) -> bool:
    """Extend the lease; False where the claim no longer stands."""
    with writing():
        # The database is asked for its time, which may have been set since the claim began.
        return bool(_run(statements.RENEW, **_mine(claim), a_lease_until=_now() + _lease()))


def finish(claim: Claim, outcome: Outcome) -> bool:
    """Write how the attempt ended, here and in its history, with outcome.changes in the same commit.

    What may start now is in its queue right after that. False, and nothing is written, where the claim no longer
    stands.
    """
    with writing():
        now = claim.now
        state, wait = ending(claim, outcome)
        # A delivery that is over keeps the time of its last try.
        again = None if wait is None else now + timedelta(seconds=wait * random.uniform(1.0, 1.0 + JITTER))
        done_at = now if again is None else None
        end = {"a_state": state, "a_error": outcome.error, "a_done_at": done_at, "a_next_try_at": again}
        counted = bool(_run(statements.END, **_mine(claim), **end))
        if counted:
            _note(claim.delivery_id, claim.attempt, claim.started_at, now, state, outcome.error, again)
            if outcome.changes:
                outcome.changes()
            next_ones = following(claim)
            afterwards(lambda: queue.enqueue_deliveries(next_ones))
    return counted


def ending(claim: Claim, outcome: Outcome) -> tuple[str, float | None]:
    """The state that an outcome brings, and the seconds to the next try (before jitter); None: there is none."""
    if outcome.state != PENDING:
        return outcome.state, None
    wait = next_wait(claim.attempt, settings().delivery, outcome.retry_after)
    return (FAILED, None) if wait is None else (PENDING, wait)


def _note(
    delivery_id: str,
    attempt: int,
    started_at: datetime | None,
    ended_at: datetime,
    state: str,
    error: str,
    next_try_at: datetime | None,
) -> None:
    """A line of a delivery's history, in the transaction that is open."""
    db.session.execute(
        statements.NOTE,
        {
            "delivery_id": delivery_id,
            "attempt": attempt,
            "started_at": started_at,
            "ended_at": ended_at,
            "state": state,
            "error": error,
            "next_try_at": next_try_at,
        },
    )


def next_wait(attempt: int, settings: DeliverySettings, asked: float | None = None) -> float | None:
    """Seconds from the end of this attempt (the first is 1) to the next; None: give up.

    Each wait is twice the one before. What counts against give_up_seconds is the time waited, so that a host
    that was off for days does not give up at its first attempt.
    """
    waits = (
        min(settings.retry_first_seconds * 2.0 ** min(n, 60), settings.retry_longest_seconds) for n in range(attempt)
    )
    *waited, wait = waits
    if sum(waited) >= settings.give_up_seconds:
        return None
    return max(wait, min(asked or 0.0, LONGEST_WISH_SECONDS))


def longest_wait(settings: DeliverySettings) -> float:
    """Seconds that no wait between two attempts is longer than, jitter included."""
    return max(settings.retry_longest_seconds, LONGEST_WISH_SECONDS) * (1.0 + JITTER)


def due(limit: int = 100) -> list[Delivery]:
    """Deliveries that may start now and wait in no queue, those due longest first."""
    return list(db.session.scalars(search(_now(), limit)))


def search(now: datetime, limit: int) -> Select[Delivery]:
    """What due() asks for."""
    # Later than any time that mark_queued() writes: the database's clock was set back since.
    wrong = Delivery.queued_until > now + 2 * _lease()
    waiting = or_(Delivery.queued_until.is_(None), Delivery.queued_until <= now, wrong)
    query = select(Delivery).where(Delivery.state == PENDING, _may_start(now), waiting)
    return query.order_by(Delivery.next_try_at).limit(limit)


def following(claim: Claim) -> list[queue.Due]:
    """Later deliveries of the same event that may start, now that this one has ended an attempt."""
    if claim.kind == LAST:
        return []
    now = claim.now
    times = {"a_now": now, "a_head_start": now - _HEAD_START, "a_overdue": now - _OVERDUE}
    later = {"a_event_id": claim.event_id, "a_position": POSITIONS.get(claim.kind, 0)}
    return [queue.Due.of(row) for row in db.session.execute(statements.FOLLOWING, {**later, **times})]


def mark_queued(delivery_ids: Iterable[str]) -> None:
    """These are in a queue: due() leaves them out for the time of a lease, then takes them for lost."""
    with writing():
        waiting = update(Delivery).where(Delivery.id.in_(list(delivery_ids)), Delivery.state == PENDING)
        _execute(waiting.values(queued_until=_now() + _lease()))


def expire_leases() -> list[str]:
    """Give back what dead workers held; the ids of those deliveries."""
    lapsed = and_(Delivery.state == RUNNING, Delivery.lease_until < _now())

    def note(delivery_id: str) -> None:
        row = db.session.get_one(Delivery, delivery_id, populate_existing=True)
        now = _now()
        _note(row.id, row.attempts, row.started_at, now, PENDING, WORKER_ENDED, now)

    return _open_again(lapsed, note, lease_until=None, last_error=WORKER_ENDED)


def reopen_uploads() -> list[str]:
    """Try uploads again that were given up while their audio is only in a spool: an upload is never forgotten."""
    message = exists().where(
        Message.id == Delivery.message_id, Message.spool_host.is_not(None), Message.purged_at.is_(None)
    )
    recording = exists().where(
        Recording.sid == Delivery.recording_sid, Recording.spool_host.is_not(None), Recording.purged_at.is_(None)
    )
    failed = and_(Delivery.kind == UPLOAD, Delivery.state == FAILED)
    return _open_again(and_(failed, or_(message, recording)), done_at=None)


def try_again(which: ColumnElement[bool]) -> list[str]:
    """Somebody wants failed and waiting deliveries tried now, with all their attempts before them; their ids."""
    return _open_again(and_(Delivery.state.in_((FAILED, PENDING)), which), attempts=0, done_at=None)


def reopen_all(which: ColumnElement[bool]) -> int:
    """As try_again(), in one UPDATE of the transaction that is open, however many they are; their number."""
    again = {"state": PENDING, "attempts": 0, "done_at": None, "next_try_at": database_now(), "queued_until": None}
    return _execute(update(Delivery).where(Delivery.state.in_((FAILED, PENDING)), which).values(**again))


def startable(which: ColumnElement[bool]) -> list[Delivery]:
    """Of these deliveries those that may start now, whether or not they wait in a queue."""
    return list(db.session.scalars(select(Delivery).where(Delivery.state == PENDING, _may_start(_now()), which)))


def _open_again(which: ColumnElement[bool], note: Callable[[str], None] | None = None, **values: object) -> list[str]:
    """Make deliveries pending and due; the ids of those that still were what they were. note: runs for each of them."""
    ids = db.session.scalars(select(Delivery.id).where(which)).all()
    if not ids:
        db.session.rollback()
        return []
    opened = []
    with writing():
        values |= {"state": PENDING, "next_try_at": _now(), "queued_until": None}
        for each in ids:
            if _execute(update(Delivery).where(Delivery.id == each, which).values(**values)):
                opened.append(each)
                if note:
                    note(each)
    return opened


def _may_start(now: datetime) -> ColumnElement[bool]:
    return statements.may_start(now, now - _HEAD_START, now - _OVERDUE)


def _mine(claim: Claim) -> dict[str, object]:
    return {"a_id": claim.delivery_id, "a_fencing": claim.fencing}


def _run(statement: Update, **values: object) -> int:
    """Rows that one of the statements of an attempt changed."""
    result = db.session.execute(statement, values)
    assert isinstance(result, CursorResult)  # noqa: S101 - tells the type checker
    return result.rowcount


def _execute(statement: Update) -> int:
    """Rows that an UPDATE matched."""
    result = db.session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)  # noqa: S101 - tells the type checker
    return result.rowcount


def _now() -> datetime:
    now: datetime = db.session.execute(select(database_now())).scalar_one()
    return now


def _lease() -> timedelta:
    return timedelta(seconds=settings().delivery.lease_seconds)


__all__ = [
    "DONE",
    "EMAIL",
    "FAILED",
    "PENDING",
    "SKIPPED",
    "UPLOAD",
    "WEBHOOK",
    "Claim",
    "Outcome",
    "claim",
    "due",
    "ending",
    "expire_leases",
    "finish",
    "following",
    "longest_wait",
    "mark_queued",
    "next_wait",
    "renew",
    "reopen_all",
    "reopen_uploads",
    "startable",
    "try_again",
]
