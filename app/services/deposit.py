"""Deposits: a finished take becomes a message, once however often it is handed over."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.database import writing
from app.extensions import db
from app.models import Delivery, Mailbox, Message
from app.models.base import database_now
from app.models.message import DISCARDED, NEW
from app.services import events, outbox, quota
from app.services.context import settings
from app.services.inbox import touch

log = logging.getLogger(__name__)


class SpoolFate(Enum):
    """What becomes of a spool file whose message is known: it is still needed, or it may go."""

    OWED = "owed"
    STORED = "stored"


@dataclass(frozen=True)
class Take:
    """A finished recording as the voice worker hands it over. duration: seconds; size: bytes; host: of its spool.

    forwarded_from, forwarded_by: the message that it is a copy of, and the extension that sent it on, else empty.
    """

    id: str
    mailbox_id: str
    caller_number: str
    caller_name: str
    call_id: str
    received_at: datetime
    duration: float
    size: int
    sha256: str
    urgent: bool
    discarded: bool
    host: str
    forwarded_from: str = ""
    forwarded_by: str = ""


def save_take(take: Take) -> Message:
    """Make the message of a take with its outbox rows in one commit, once however often it is called.

    A discarded take gets a row without deliveries: it waits in the spool for somebody to keep it. A message that
    is known already learns on which host its audio lies: hosts get other names.
    """
    found = db.session.get(Message, take.id)
    if found is not None:
        _settle(found, take.host)
        return found
    message = Message(
        id=take.id,
        mailbox_id=take.mailbox_id,
        caller_number=_text(take.caller_number, 128),
        caller_name=_text(take.caller_name, 128),
        call_id=_text(take.call_id, 255),
        received_at=take.received_at,
        duration=take.duration,
        state=DISCARDED if take.discarded else NEW,
        urgent=take.urgent,
        spool_host=take.host,
        size=take.size,
        sha256=take.sha256,
        forwarded_from=take.forwarded_from or None,
        forwarded_by=take.forwarded_by[:20] or None,
        # Not this host's clock: a recording without speech is purged so many days after it.
        created_at=database_now(),
    )
    try:
        with writing():
            # The mailbox first: two inserts share its row (foreign key), and would each wait for the other to touch it.
            touch(take.mailbox_id)
            db.session.add(message)
            if not take.discarded:
                message.arrival = arrival_of(take.mailbox_id)
            db.session.flush()
            _record(message)
    except IntegrityError:
        found = db.session.get(Message, take.id)
        if found is None:
            raise
        return found
    return message


def arrival_of(mailbox_id: str) -> int:
    """The mailbox's version, which touch() raised in the transaction that is open: messages arrive in this order."""
    return db.session.scalar(select(Mailbox.mwi_version).where(Mailbox.id == mailbox_id)) or 0


def _record(message: Message) -> None:
    """The events of a new message, and what it owes, in the transaction that is open."""
    if message.state == DISCARDED:
        return
    events.new_message(message)
    quota.warn(message.mailbox_id, message.duration)
    source = db.session.get(Message, message.forwarded_from) if message.forwarded_from else None
    if source is not None:
        events.record(events.MESSAGE_FORWARDED, source.mailbox_id, source.id, copy=message.id)


def known_ids(ids: Iterable[str]) -> dict[str, SpoolFate]:
    """What is known of takes in the spool of this host.

    Left out, and to be saved, are ids without a message, and those whose audio is said to lie on another host.
    """
    host, fates = settings().host_name, {}
    wanted = list(ids)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        query = select(Message.id, Message.spool_host, Message.purged_at).where(Message.id.in_(part))
        for message_id, spool_host, purged_at in db.session.execute(query):
            if purged_at is not None or spool_host is None:
                fates[message_id] = SpoolFate.STORED
            elif spool_host == host:
                fates[message_id] = SpoolFate.OWED
    return fates


def _settle(message: Message, host: str) -> None:
    """The audio of a message that is only in a spool lies on this host: its upload runs here."""
    if message.purged_at is not None or message.spool_host in (None, host):
        return
    log.warning("message=%s lies in the spool of %s, no longer of %s", message.id, host, message.spool_host)
    with writing():
        moved = (
            update(Message)
            .where(Message.id == message.id, Message.spool_host.is_not(None), Message.purged_at.is_(None))
            .values(spool_host=host)
        )
        upload = update(Delivery).where(Delivery.message_id == message.id, Delivery.kind == outbox.UPLOAD)
        db.session.execute(upload.values(target=host, queued_until=None))
        db.session.execute(moved)


def _text(value: str, longest: int) -> str:
    return "".join(character for character in value if character.isprintable())[:longest]
