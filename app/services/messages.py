"""Messages: saved once, listed, marked, thrown away and taken back. Their end is in app/services/purge.py."""

from __future__ import annotations

import logging
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import selectinload

from app.database import writing
from app.errors import Forbidden, Invalid, NotFound
from app.extensions import db
from app.models import Delivery, Message
from app.models.base import database_now, utc_now
from app.models.delivery import FAILED, PENDING, RUNNING
from app.models.message import DISCARDED, NEW, SAVED
from app.services import audit, events, fields, mailboxes, paging, quota, trimmed
from app.services.context import settings
from app.services.deposit import SpoolFate, Take, arrival_of, known_ids, save_take
from app.services.inbox import changed, touch
from app.services.recorded_audio import open_audio
from app.storage import AudioSource

__all__ = [
    "SpoolFate",
    "Take",
    "counts",
    "get",
    "inbox_version",
    "keep",
    "known_ids",
    "listing",
    "mark",
    "open_audio",
    "open_whole",
    "place_of",
    "restore",
    "save_take",
    "trash",
]

log = logging.getLogger(__name__)
TRASH = "trash"
VIEWS = ("all", NEW, SAVED, TRASH, DISCARDED)
MAX_LIMIT = 200
LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def listing(
    extension: str, *, view: str = "all", cursor: str | None = None, limit: int = 50
) -> tuple[list[Message], str | None]:
    """Messages of a mailbox, newest first, and the cursor of what follows.

    view: all (new and saved), new, saved, trash, discarded. NotFound; Invalid for an unknown view or cursor.
    """
    box = mailboxes.get(extension)
    limit = max(1, min(limit, MAX_LIMIT))
    query = (
        select(Message)
        .where(Message.mailbox_id == box.id, _in_view(view), *paging.after(cursor, Message.received_at, Message.id))
        .options(selectinload(Message.deliveries))
        .order_by(Message.received_at.desc(), Message.id.desc())
        .limit(limit + 1)
    )
    rows = list(db.session.scalars(query))
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], paging.cursor_of(last.received_at, last.id) if last else None


def counts(extension: str) -> dict[str, int]:
    """How many messages each view of a mailbox has; NotFound."""
    box = mailboxes.get(extension)
    query = (
        select(Message.state, Message.deleted_at.is_not(None), func.count())
        .where(Message.mailbox_id == box.id, Message.purged_at.is_(None))
        .group_by(Message.state, Message.deleted_at.is_not(None))
    )
    found = dict.fromkeys(VIEWS, 0)
    for state, deleted, number in db.session.execute(query):
        found[TRASH if deleted else state] += number
    found["all"] = found[NEW] + found[SAVED]
    return found


def inbox_version(extension: str) -> str:
    """A text that changes whenever a list of the mailbox's messages would look different; cheap to ask. NotFound.

    The mailbox's midnight is such a time: what came today came yesterday then.
    """
    box = mailboxes.get(extension)
    open_ones = (
        select(Delivery.state, func.count(), func.sum(Delivery.fencing))
        .where(Delivery.mailbox_id == box.id, Delivery.state.in_((PENDING, RUNNING, FAILED)))
        .group_by(Delivery.state)
    )
    found = {state: f"{number}.{fencing}" for state, number, fencing in db.session.execute(open_ones)}
    today = utc_now().astimezone(ZoneInfo(box.timezone)).date()
    return "-".join(
        [str(box.mwi_version), *(found.get(state, "0.0") for state in (PENDING, RUNNING, FAILED)), f"{today:%Y%m%d}"]
    )


def get(message_id: str, *, mailbox_id: str | None = None, locked: bool = False) -> Message:
    """A message of a living mailbox; another's (mailbox_id) and a purged one are NotFound like an unknown one.

    locked: nobody else changes it until this transaction ends. Locks are taken in the order delivery, message, mailbox.
    """
    message = db.session.get(Message, message_id, with_for_update=locked or None) if fields.is_id(message_id) else None
    if message is None or message.purged_at is not None or message.mailbox.live_extension is None:
        raise NotFound("There is no such message.")
    if mailbox_id is not None and message.mailbox_id != mailbox_id:
        raise NotFound("There is no such message.")
    return message


def mark(message_id: str, state: str, *, actor: str, mailbox_id: str | None = None) -> Message:
    """Call a message new or saved (heard); NotFound, Invalid."""
    if state not in (NEW, SAVED):
        raise Invalid({"state": "A message is new or saved."})
    with writing():
        message = get(message_id, mailbox_id=mailbox_id, locked=True)
        if message.state == DISCARDED:
            raise Invalid({"state": "This recording is not a message; keep it first."})
        if message.state != state:
            message.state = state
            changed(events.MESSAGE_READ if state == SAVED else events.MESSAGE_UNREAD, message.mailbox_id, message.id)
            audit.record(actor, f"message.{state}", message.id)
    return message


def trash(message_id: str, *, actor: str, mailbox_id: str | None = None) -> Message:
    """Throw a message away; it stays in the trash for its days (app/services/retention.py). NotFound."""
    with writing():
        message = get(message_id, mailbox_id=mailbox_id, locked=True)
        if message.deleted_at is None:
            message.deleted_at = db.session.scalar(select(database_now()))
            changed(events.MESSAGE_DELETED, message.mailbox_id, message.id)
            audit.record(actor, "message.delete", message.id)
    return message


def restore(message_id: str, *, actor: str, mailbox_id: str | None = None) -> Message:
    """Take a message back out of the trash; NotFound."""
    with writing():
        message = get(message_id, mailbox_id=mailbox_id, locked=True)
        if message.deleted_at is not None:
            message.deleted_at = None
            changed(events.MESSAGE_RESTORED, message.mailbox_id, message.id)
            audit.record(actor, "message.restore", message.id)
            if message.state != DISCARDED:
                db.session.flush()
                quota.warn(message.mailbox_id, message.duration)
    return message


def keep(message_id: str, *, actor: str, mailbox_id: str | None = None) -> Message:
    """Make a message of a recording that was taken for silence; it is delivered like any other. NotFound."""
    with writing():
        message = get(message_id, mailbox_id=mailbox_id, locked=True)
        if message.deleted_at is not None:
            raise Forbidden("Take this recording out of the trash first.")
        if message.state == DISCARDED:
            message.state = NEW
            touch(message.mailbox_id)
            message.arrival = arrival_of(message.mailbox_id)
            db.session.flush()
            quota.warn(message.mailbox_id, message.duration)
            events.new_message(message)
            audit.record(actor, "message.keep", message.id)
    return message


def open_whole(message: Message) -> AudioSource:
    """The recording with what was cut off its end; Unavailable as open_audio(), NotFound where there is no more."""
    return trimmed.whole(settings(), message.id, open_audio(message))


def place_of(message: Message, per_page: int) -> tuple[str, str | None]:
    """The view that lists a message, and the cursor of its page; None where it is on the first one."""
    view = TRASH if message.deleted_at else DISCARDED if message.state == DISCARDED else "all"
    newer = select(func.count()).where(Message.mailbox_id == message.mailbox_id, _in_view(view))
    newer = newer.where(Message.received_at > message.received_at)
    if (db.session.scalar(newer) or 0) < per_page:
        return view, None
    # Behind whatever came later than this message.
    return view, paging.cursor_of(message.received_at, LAST_ID)


def _in_view(view: str) -> ColumnElement[bool]:
    alive = Message.purged_at.is_(None)
    if view == TRASH:
        return and_(alive, Message.deleted_at.is_not(None))
    if view not in VIEWS:
        raise Invalid({"view": f"A list is one of {', '.join(VIEWS)}."})
    states = (NEW, SAVED) if view == "all" else (view,)
    return and_(alive, Message.deleted_at.is_(None), Message.state.in_(states))
