"""Which deliveries an event owes: their rows, added to the transaction that makes the event true."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import select

from app.config import Settings
from app.extensions import db
from app.models import Delivery, Event, Mailbox, Message, Recording, Webhook
from app.models.base import database_now, new_id
from app.models.delivery import PENDING, SKIPPED
from app.models.webhook import GLOBAL
from app.services import addresses

UPLOAD, EMAIL, WEBHOOK = "upload", "email", "webhook"
POSITIONS = {UPLOAD: 1, EMAIL: 2, WEBHOOK: 3}
LAST = WEBHOOK
RECORDING_CREATED = "recording.created"
# Of what else than a new message receivers of webhooks, and owners, are told.
WEBHOOK_EVENTS = frozenset({"message.read", "message.deleted"})
MAIL_EVENTS = frozenset({"mailbox.nearly_full", "mailbox.full", "mailbox.locked", "pin.changed", "greeting.changed"})
NO_SERVER, NO_ADDRESS, NO_WEBHOOK = "e-mail is not set up", "the mailbox has no e-mail address", "no webhook is set up"


def for_message(message: Message, event_id: str, settings: Settings) -> list[Delivery]:
    """What a new message owes: its upload, a mail to each address, a call of each webhook.

    Of a kind that nobody is to be told by there is one row that is skipped and says why. The target of an upload is
    the host whose spool holds the file.
    """
    box = db.session.get_one(Mailbox, message.mailbox_id)
    upload = _row(UPLOAD, message.spool_host or settings.host_name, event_id, box.id, message.id)
    upload.idempotency_key = f"{message.id}-{UPLOAD}"
    mails = _mails(box, event_id, message.id, settings)
    return [upload, *mails, *_webhooks(webhook_scopes(box.id, settings), box.id, event_id, message.id)]


def for_recording(recording: Recording, settings: Settings) -> Delivery:
    """What a new recording of a programmed call owes: its upload. Its event stands in no mailbox's history."""
    host = recording.spool_host or settings.host_name
    upload = _row(UPLOAD, host, new_id(), None, None)
    upload.event, upload.recording_sid = RECORDING_CREATED, recording.sid
    upload.idempotency_key = f"{recording.sid}-{UPLOAD}"
    return upload


def for_event(event: Event, settings: Settings, scopes: list[str] | None = None) -> list[Delivery]:
    """What another event owes; nothing for most. scopes: those of its mailbox, where the caller knows them."""
    rows: list[Delivery] = []
    if event.event in MAIL_EVENTS:
        box = db.session.get_one(Mailbox, event.mailbox_id)
        rows += _mails(box, event.id, event.message_id, settings)
    if event.event in WEBHOOK_EVENTS:
        if scopes is None:
            scopes = webhook_scopes(event.mailbox_id, settings)
        rows += _webhooks(scopes, event.mailbox_id, event.id, event.message_id)
    owed = [row for row in rows if row.state == PENDING]
    for row in owed:
        row.event = event.event
    return owed


def webhook_scopes(mailbox_id: str, settings: Settings) -> list[str]:
    """The webhooks that are called for a mailbox: that of the settings, its own, both or none."""
    query = select(Webhook).where(Webhook.scope.in_((GLOBAL, mailbox_id)))
    hooks = {hook.scope: hook for hook in db.session.scalars(query)}
    general, own = hooks.get(GLOBAL), hooks.get(mailbox_id)
    scopes = []
    # Another URL in the settings than the one that was switched off is another webhook.
    if settings.webhook.url and not (general and general.off_at and general.url == mark_of(settings.webhook.url)):
        scopes.append(GLOBAL)
    if own and own.url and not own.off_at:
        scopes.append(mailbox_id)
    return scopes


def mark_of(url: str) -> str:
    """What is written down of the settings' URL, to know it again; it may hold a password."""
    return hashlib.sha256(url.encode()).hexdigest()


def _mails(box: Mailbox, event_id: str, message_id: str | None, settings: Settings) -> Iterable[Delivery]:
    found = addresses.split(box.email)
    if settings.smtp.host and found:
        return [_row(EMAIL, address, event_id, box.id, message_id) for address in found]
    return [_skipped(EMAIL, event_id, box.id, message_id, NO_ADDRESS if settings.smtp.host else NO_SERVER)]


def _webhooks(scopes: Iterable[str], mailbox_id: str, event_id: str, message_id: str | None) -> list[Delivery]:
    rows = [_row(WEBHOOK, scope, event_id, mailbox_id, message_id) for scope in scopes]
    return rows or [_skipped(WEBHOOK, event_id, mailbox_id, message_id, NO_WEBHOOK)]


def _row(kind: str, target: str, event_id: str, mailbox_id: str | None, message_id: str | None) -> Delivery:
    digest = hashlib.sha256(target.encode()).hexdigest()[:16]
    return Delivery(
        id=new_id(),
        fencing=0,
        event_id=event_id,
        mailbox_id=mailbox_id,
        message_id=message_id,
        kind=kind,
        target=target,
        # The same however often this attempt, or this very function, runs for the event.
        idempotency_key=f"{event_id}-{kind}-{digest}",
        position=POSITIONS[kind],
        state=PENDING,
        # Not this host's clock: by its age a delivery is given up (app/services/lanes.py).
        created_at=database_now(),
        next_try_at=database_now(),
    )


def _skipped(kind: str, event_id: str, mailbox_id: str, message_id: str | None, why: str) -> Delivery:
    row = _row(kind, "", event_id, mailbox_id, message_id)
    row.state, row.last_error = SKIPPED, why
    return row
