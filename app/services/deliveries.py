"""Deliveries as people look at them: what failed, what waits for another try, what became of each attempt; try again.

What starts them is in app/services/outbox.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, CursorResult, and_, exists, func, or_, select, true, update
from sqlalchemy.orm import joinedload

from app.database import writing
from app.errors import Invalid, NotFound
from app.extensions import db
from app.hosts import bracketed
from app.jobs import queue
from app.models import Attempt, Delivery, Mailbox, Message, Recording, Webhook
from app.models.base import database_now
from app.models.delivery import FAILED, PENDING, RUNNING, SKIPPED
from app.models.webhook import GLOBAL
from app.services import audit, fields, messages, outbox, paging
from app.services.context import settings
from app.services.events import MESSAGE_CREATED
from app.services.outbox import EMAIL, UPLOAD, WEBHOOK

KINDS = (UPLOAD, EMAIL, WEBHOOK)
# WAITING: it was tried, and is tried again by itself.
WAITING = "waiting"
STATES = (FAILED, WAITING)
MAX_LIMIT = 200
COUNTED = 1000
PURGED = "the message is gone for good"
NO_SUCH = "There is no such delivery."

_failed = Delivery.state == FAILED
_waiting = and_(Delivery.state == PENDING, Delivery.attempts > 0)
_purged = exists().where(Message.id == Delivery.message_id, Message.purged_at.is_not(None))
# Of a message that is gone only its end can still be told. Its upload job cleans up behind it.
_pointless = and_(Delivery.event == MESSAGE_CREATED, Delivery.kind != UPLOAD, _purged)


@dataclass(frozen=True)
class Row:
    """A delivery with the mailbox it belongs to and the message it tells of, if it tells of one.

    recording: in place of both, the recording of a programmed call.
    """

    delivery: Delivery
    mailbox: Mailbox | None
    message: Message | None
    recording: Recording | None


@dataclass(frozen=True)
class Told:
    """A delivery and its attempts, oldest first."""

    delivery: Delivery
    attempts: list[Attempt]


def listing(
    *, kind: str = "", state: str = "", cursor: str | None = None, limit: int = 50
) -> tuple[list[Row], str | None]:
    """Deliveries that failed or wait for another try, the newest first, and the cursor of what follows.

    kind: upload, email, webhook; state: failed, waiting; "" is all. Invalid for another kind, state or cursor.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    query = (
        select(Delivery, Mailbox, Message, Recording)
        .outerjoin(Mailbox, Mailbox.id == Delivery.mailbox_id)
        .outerjoin(Message, Message.id == Delivery.message_id)
        .outerjoin(Recording, Recording.sid == Delivery.recording_sid)
        .where(_matching(kind, state), *paging.after(cursor, Delivery.created_at, Delivery.id))
        .order_by(Delivery.created_at.desc(), Delivery.id.desc())
        .limit(limit + 1)
    )
    rows = [Row(*found) for found in db.session.execute(query)]
    last = rows[limit - 1].delivery if len(rows) > limit else None
    return rows[:limit], paging.cursor_of(last.created_at, last.id) if last else None


def count(*, kind: str = "", state: str = "") -> int:
    """How many deliveries listing() has in all."""
    return db.session.scalar(select(func.count()).select_from(Delivery).where(_matching(kind, state))) or 0


def failed_count() -> int:
    """How many failed for good, counted up to COUNTED: each page asks."""
    some = select(Delivery.id).where(_failed).limit(COUNTED).subquery()
    return db.session.scalar(select(func.count()).select_from(some)) or 0


def on_their_way() -> int:
    """How many wait for their first attempt or are being made now."""
    first = and_(Delivery.state == PENDING, Delivery.attempts == 0)
    under_way = or_(first, Delivery.state == RUNNING)
    return db.session.scalar(select(func.count()).select_from(Delivery).where(under_way)) or 0


def of_message(message_id: str) -> tuple[Message, list[Told]]:
    """A message, which may be purged, and all its deliveries with their attempts; NotFound."""
    query = select(Message).where(Message.id == message_id).options(joinedload(Message.mailbox))
    message = db.session.scalar(query) if fields.is_id(message_id) else None
    if message is None:
        raise NotFound("There is no such message.")
    order = (Delivery.created_at, Delivery.position, Delivery.target)
    rows = list(db.session.scalars(select(Delivery).where(Delivery.message_id == message_id).order_by(*order)))
    attempts = histories(row.id for row in rows)
    return message, [Told(row, attempts.get(row.id, [])) for row in rows]


def histories(delivery_ids: Iterable[str]) -> dict[str, list[Attempt]]:
    """The attempts of deliveries, oldest first; those without any are left out."""
    found: dict[str, list[Attempt]] = {}
    query = select(Attempt).where(Attempt.delivery_id.in_(list(delivery_ids))).order_by(Attempt.number)
    for attempt in db.session.scalars(query):
        found.setdefault(attempt.delivery_id, []).append(attempt)
    return found


def webhook_hosts(deliveries: Iterable[Delivery]) -> dict[str, str]:
    """Host and port of each webhook that is called, by target; "" where there is none any more.

    Never more of the URL: user, path and query may be secrets.
    """
    scopes = {row.target for row in deliveries if row.kind == WEBHOOK}
    urls = dict.fromkeys(scopes, "")
    if GLOBAL in scopes:
        urls[GLOBAL] = settings().webhook.url
    if own := scopes - {GLOBAL}:
        urls |= {hook.scope: hook.url for hook in db.session.scalars(select(Webhook).where(Webhook.scope.in_(own)))}
    return {scope: _host(url) for scope, url in urls.items()}


def can_retry(delivery: Delivery, message: Message | None) -> bool:
    """Whether to try again is of any use."""
    if delivery.state != FAILED and not (delivery.state == PENDING and delivery.attempts):
        return False
    gone = message is not None and message.purged_at is not None
    return not (gone and delivery.event == MESSAGE_CREATED)


def retry(delivery_id: str, *, actor: str) -> Delivery:
    """Try a delivery again now, with all its attempts before it; one that is done, or on its way, stays as it is.

    NotFound.
    """
    delivery = db.session.get(Delivery, delivery_id) if fields.is_id(delivery_id) else None
    if delivery is None:
        raise NotFound(NO_SUCH)
    _try_again(Delivery.id == delivery_id, actor, delivery_id)
    _start(Delivery.id == delivery_id)
    db.session.refresh(delivery)
    return delivery


def retry_message(message_id: str, *, actor: str, mailbox_id: str | None = None) -> tuple[Message, int]:
    """Try all of a message again that failed or waits; the message and how many. NotFound as messages.get()."""
    messages.get(message_id, mailbox_id=mailbox_id)
    number = _try_again(Delivery.message_id == message_id, actor, message_id)
    _start(Delivery.message_id == message_id)
    return messages.get(message_id, mailbox_id=mailbox_id), number


def retry_all(*, kind: str = "", state: str = "", actor: str) -> int:
    """Try all again that listing() has; how many. One UPDATE: the relay brings them into their queues."""
    return _try_again(_matching(kind, state), actor, kind or "all")


def close_pointless() -> int:
    """Skip what failed, or waits, and tells of a message that is gone for good; how many."""
    with writing():
        return _close(or_(_failed, _waiting))


def _try_again(which: ColumnElement[bool], actor: str, object_id: str) -> int:
    """What has become pointless is skipped and said to be, the rest is due now; how many are."""
    tried = and_(or_(_failed, _waiting), which)
    with writing():
        _close(tried)
        number = outbox.reopen_all(tried)
        if number:
            audit.record(actor, "delivery.retry", object_id, f"{number}")
    return number


def _close(which: ColumnElement[bool]) -> int:
    over = {"state": SKIPPED, "last_error": PURGED, "done_at": database_now(), "queued_until": None}
    skip = update(Delivery).where(which, _pointless).values(**over)
    result = db.session.execute(skip.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount


def _start(which: ColumnElement[bool]) -> None:
    """Put into their queues what may start now; what Redis does not take, the relay brings."""
    due = [queue.Due.of(row) for row in outbox.startable(which)]
    db.session.rollback()
    if taken := due[: queue.enqueue_deliveries(due)]:
        outbox.mark_queued(one.id for one in taken)


def _matching(kind: str, state: str) -> ColumnElement[bool]:
    if kind and kind not in KINDS:
        raise Invalid({"kind": f"kind is one of {', '.join(KINDS)}."})
    if state and state not in STATES:
        raise Invalid({"state": f"state is one of {', '.join(STATES)}."})
    of_state = {FAILED: _failed, WAITING: _waiting}.get(state, or_(_failed, _waiting))
    return and_(of_state, Delivery.kind == kind if kind else true())


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    return f"{bracketed(host)}:{port}" if port else bracketed(host)
