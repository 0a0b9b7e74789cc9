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

from app.config import Settings
from app.database import writing
from app.errors import Unavailable
from app.extensions import db
from app.models import Mailbox, Message, Subscription
from app.models.base import utc_now
from app.models.message import NEW, SAVED
from app.services import mailboxes

log = logging.getLogger(__name__)
CHANNEL = "voicemail:message-waiting"
ANSWER_SECONDS = 2.0
PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Counts:
    """Messages of a mailbox that are not deleted. urgent_new, urgent_saved: how many of new and saved are urgent."""

    mailbox_id: str
    extension: str
    new: int = 0
    saved: int = 0
    urgent_new: int = 0
    urgent_saved: int = 0


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
        select(Mailbox.id, Mailbox.extension).where(which, Mailbox.live_extension.is_not(None))
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
    return [
        Counts(
            box.id,
            box.extension,
            *(sum(number.get((box.id, state, urgent), 0) for urgent in (True, False)) for state in (NEW, SAVED)),
            *(number.get((box.id, state, True), 0) for state in (NEW, SAVED)),
        )
        for box in boxes
    ]


def save(host: str, kept: Iterable[Held], ended: Iterable[str]) -> None:
    """Write subscriptions of this host down, new ones and known ones, and delete those that ended (by key)."""
    with writing():
        gone = [_digest(key) for key in ended]
        if gone:
            db.session.execute(delete(Subscription).where(Subscription.dialog_key.in_(gone)))
        for one in kept:
            try:
                with db.session.begin_nested():
                    _save(host, one)
            except IntegrityError:
                # Its mailbox was purged meanwhile.
                log.warning("the subscription of a mailbox that is no more is not kept")


def _save(host: str, one: Held) -> None:
    key = _digest(one.key)
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


def _digest(key: str) -> str:
    """A Call-ID may be longer than a column that is unique."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def announce(settings: Settings, mailbox_id: str) -> int:
    """Have the counts of a mailbox sent to all who subscribed to it; how many voice workers heard it.

    Unavailable where Redis is away: the workers count again as soon as they reach it.
    """
    try:
        with redis.Redis.from_url(
            settings.redis_url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
        ) as client:
            return int(client.publish(CHANNEL, mailbox_id))
    except redis.RedisError:
        raise Unavailable("Redis is away; counts are sent when it is back.") from None


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
