"""Webhooks as they are called: where, with which headers, signed with what. How staff change them: webhook_changes."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from app import net
from app.database import writing
from app.extensions import db
from app.models import Webhook
from app.models.base import database_now
from app.models.webhook import GLOBAL
from app.secret_box import seal, unseal
from app.services import audit
from app.services.context import settings
from app.services.outbox_rows import mark_of

SECRET_BYTES = 32
MARK = "whsec_"
ACTOR = "webhook"


class NoWebhook(Exception):
    """There is nothing to call; str() says why."""


@dataclass(frozen=True)
class Hook:
    """A webhook to call now. lane: its host and port. secret: signs what is posted."""

    scope: str
    url: str
    headers: tuple[tuple[str, str], ...]
    secret: str
    lane: str


def hook_of(scope: str, *, though_off: bool = False) -> Hook:
    """The webhook of a mailbox's id, or `global`; NoWebhook, SettingsError (the key of the secrets), net.BadRequest."""
    row = _general_row() if scope == GLOBAL else _own_row(scope)
    if is_off(row) and not though_off:
        raise NoWebhook("the webhook is switched off")
    if scope != GLOBAL:
        # Headers of the settings are for the settings' address alone: staff may not send their passwords elsewhere.
        return Hook(scope, row.url, tuple(headers_of(row).items()), unseal(settings(), row.secret), row.lane)
    wanted = settings().webhook
    secret = wanted.secret or unseal(settings(), row.secret)
    return Hook(scope, wanted.url, tuple(dict(wanted.headers).items()), secret, row.lane)


def switch_off(hook: Hook, reason: str) -> None:
    """The receiver is gone, in the transaction that is open; unless the webhook leads elsewhere by now."""
    row = db.session.get(Webhook, hook.scope, with_for_update=True, populate_existing=True)
    if row is None or row.off_at is not None:
        return
    if hook.scope == GLOBAL:
        row.url = mark_of(hook.url)
    elif row.url != hook.url:
        return
    row.off_at, row.off_reason = database_now(), reason[:200]
    audit.record(ACTOR, "webhook.off", hook.scope, reason)


def switch_on(scope: str) -> None:
    """Call a webhook again, in the transaction that is open."""
    db.session.execute(update(Webhook).where(Webhook.scope == scope).values(off_at=None, off_reason=""))


def is_off(row: Webhook | None) -> bool:
    """Whether the webhook of a row is switched off; that of the settings only as long as its URL is the same."""
    if row is None or row.off_at is None:
        return False
    return row.scope != GLOBAL or row.url == mark_of(settings().webhook.url)


def new_secret() -> str:
    """A secret, sealed for its row."""
    return seal(settings(), MARK + secrets.token_urlsafe(SECRET_BYTES))


def headers_of(row: Webhook) -> dict[str, str]:
    """A mailbox's own headers; SettingsError."""
    return dict(json.loads(unseal(settings(), row.headers))) if row.headers else {}


def general_row() -> Webhook:
    """The row of the settings' webhook, made when it is first needed; it must be called outside of a transaction."""
    lane = net.place_of(net.checked_url(settings().webhook.url))
    row = db.session.get(Webhook, GLOBAL)
    if row is not None and row.lane == lane and row.secret:
        return row
    try:
        with writing():
            row = db.session.get(Webhook, GLOBAL, with_for_update=True)
            if row is None:
                row = Webhook(scope=GLOBAL, lane=lane, secret=new_secret())
                db.session.add(row)
            row.lane, row.secret = lane, row.secret or new_secret()
    except IntegrityError:
        # Another worker was first.
        return db.session.get_one(Webhook, GLOBAL)
    return row


def _general_row() -> Webhook:
    if not settings().webhook.url:
        raise NoWebhook("the settings have no webhook any more")
    return general_row()


def _own_row(mailbox_id: str) -> Webhook:
    row = db.session.get(Webhook, mailbox_id)
    if row is None or not row.url:
        raise NoWebhook("the mailbox has no webhook any more")
    return row
