"""Message waiting: what is counted, who subscribed, and how a voice worker hears that counts are to be sent."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.extensions import db
from app.models import Lamp, Mailbox, Message, Subscription
from app.models.base import utc_now
from app.models.message import NEW, SAVED
from app.services import mailboxes
from app.services.inbox import CHANNEL

log = logging.getLogger(__name__)
ANSWER_SECONDS = 2.0
PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Counts:
    """Messages of a mailbox that are not deleted. urgent_new, urgent_saved: how many of new and saved are urgent.

    version: the mailbox's mwi_version; the counts are those of that version, or newer ones.
    """

    mailbox_id: str
    extension: str
    new: int = 0
    saved: int = 0
    urgent_new: int = 0
    urgent_saved: int = 0
    version: int = 0


@dataclass(frozen=True)
class Held:
    """A subscription: the dialog's identity, its mailbox, when it expires (seconds since 1970), the dialog as JSON."""

    key: str
    mailbox_id: str
    expires_at: float
    dialog: dict[str, Any]


def counts(mailbox_ids: Iterable[str]) -> list[Counts]:
    """What waits in each of these mailboxes that lives; what is deleted, discarded or purged does not count."""
    return _counted(Mailbox.id.in_(list(mailbox_ids)))


def find(numbers: Iterable[str]) -> Counts | None:
    """What waits in the mailbox that the first of these numbers leads to, as its extension or as an alias."""
    box = mailboxes.find(list(numbers))
    return next(iter(counts([box.id])), None) if box else None


def _counted(which: Any) -> list[Counts]:
    boxes = db.session.execute(
        select(Mailbox.id, Mailbox.extension, Mailbox.mwi_version).where(which, Mailbox.live_extension.is_not(None))
    ).all()
    rows = db.session.execute(
        select(Message.mailbox_id, Message.state, Message.urgent, func.count())
        .where(
            Message.mailbox_id.in_([box.id for box in boxes]),
            Message.state.in_((NEW, SAVED)),
            Message.deleted_at.is_(None),
            Message.purged_at.is_(None),
        )
        .group_by(Message.mailbox_id, Message.state, Message.urgent)
    ).all()
    number = {(mailbox_id, state, bool(urgent)): count for mailbox_id, state, urgent, count in rows}

    def count(mailbox_id: str, state: str, *urgencies: bool) -> int:
        return sum(number.get((mailbox_id, state, urgent), 0) for urgent in urgencies)

    return [
        Counts(
            box.id,
            box.extension,
            new=count(box.id, NEW, True, False),
            saved=count(box.id, SAVED, True, False),
            urgent_new=count(box.id, NEW, True),
            urgent_saved=count(box.id, SAVED, True),
            version=box.mwi_version,
        )
        for box in boxes
    ]


def save(host: str, kept: Iterable[Held], ended: Iterable[str]) -> None:
    """Write subscriptions of this host down, new ones and known ones, and delete those that ended (by key)."""
    with writing():
        gone = [digest(key) for key in ended]
        if gone:
            db.session.execute(delete(Subscription).where(Subscription.dialog_key.in_(gone)))
            db.session.execute(delete(Lamp).where(Lamp.key.in_(gone)))
        for one in kept:
            try:
                with db.session.begin_nested():
                    _save(host, one)
            except IntegrityError:
                # Its mailbox was purged meanwhile.
                log.warning("the subscription of a mailbox that is no more is not kept")


def _save(host: str, one: Held) -> None:
    key = digest(one.key)
    row = db.session.scalar(select(Subscription).where(Subscription.dialog_key == key)) or Subscription(dialog_key=key)
    row.mailbox_id, row.host = one.mailbox_id, host
    row.dialog = json.dumps(one.dialog)
    row.expires_at = datetime.fromtimestamp(one.expires_at, UTC)
    db.session.add(row)
    db.session.flush()


def held_by(host: str) -> list[dict[str, Any]]:
    """The subscriptions of a host that have not expired, oldest first: mailbox_id, expires_at, dialog. Others go."""
    now = utc_now()
    with writing():
        db.session.execute(delete(Subscription).where(Subscription.host == host, Subscription.expires_at <= now))
    rows = db.session.scalars(select(Subscription).where(Subscription.host == host).order_by(Subscription.created_at))
    return [
        {
            "mailbox_id": row.mailbox_id,
            "expires_at": row.expires_at.timestamp(),
            "dialog": json.loads(row.dialog),
        }
        for row in rows
    ]


def digest(key: str) -> str:
    """What a long key is known by: a Call-ID may be longer than a column that is unique."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def announcements(url: str, stopping: Callable[[], bool]) -> Iterator[str | None]:
    """The mailboxes that are announced, until stopping() is true.

    None comes each time that Redis was reached: what was announced before that was missed.
    """
    while not stopping():
        try:
            with (
                redis.Redis.from_url(
                    url, socket_connect_timeout=ANSWER_SECONDS, health_check_interval=10, decode_responses=True
                ) as client,
                client.pubsub() as channel,
            ):
                channel.subscribe(CHANNEL)
                while not stopping():
                    message = channel.get_message(timeout=1.0)
                    if message and message["type"] in ("subscribe", "message"):
                        yield str(message["data"]) if message["type"] == "message" else None
        except (redis.RedisError, OSError):
            time.sleep(PAUSE_SECONDS)
