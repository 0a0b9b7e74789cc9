"""Mailboxes with webhooks, and what is delivered to them."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

from flask import Flask
from sqlalchemy import select, update

from app.config import Settings
from app.extensions import db
from app.jobs import run
from app.models import Delivery, Lane, Webhook
from app.models.base import database_now
from app.services import mailboxes, webhook_changes, webhooks
from app.services.webhooks import Hook
from tests.conftest import leave_message
from tests.net.receivers import Request

LOOPBACK = ("127.0.0.0/8",)


def settings_of(app: Flask) -> Settings:
    settings: Settings = app.extensions["settings"]
    return settings


def set_webhook(app: Flask, url: str = "", **values: Any) -> None:
    """Settings of [webhook], with which receivers of this host may be called."""
    settings = settings_of(app)
    values = {"allowed_networks": LOOPBACK, "timeout_seconds": 10.0} | values
    app.extensions["settings"] = replace(settings, webhook=replace(settings.webhook, url=url, **values))


def own_webhook(extension: str, url: str, headers: str = "") -> None:
    """A webhook of a mailbox's own."""
    webhook_changes.save(extension, url=url, headers=headers, actor="test")


def box(extension: str = "1001", name: str = "Änne 王") -> str:
    """A mailbox; its id."""
    return mailboxes.create(extension, pin="4711", name=name, actor="test").id


def message(app: Flask, extension: str = "1001", **facts: object) -> str:
    """A message that is uploaded, and of which no webhook knows yet; its id."""
    message_id = leave_message(app, extension, uploaded=False, **facts)  # type: ignore[arg-type]
    upload = db.session.scalars(select(Delivery.id).filter_by(message_id=message_id, kind="upload")).one()
    db.session.rollback()
    run.deliver(upload)
    return message_id


def owed(message_id: str, event: str = "message.created") -> list[Delivery]:
    """The webhook deliveries of an event as they are now, detached; that of the settings first."""
    query = select(Delivery).filter_by(message_id=message_id, kind="webhook", event=event)
    rows = sorted(db.session.scalars(query), key=lambda row: row.target != "global")
    db.session.expunge_all()
    db.session.rollback()
    return rows


def deliver(message_id: str, event: str = "message.created") -> list[Delivery]:
    """One attempt of each, whenever it is due; how they are afterwards."""
    for row in owed(message_id, event):
        make_due(row.id)
        run.deliver(row.id)
    return owed(message_id, event)


def make_due(delivery_id: str) -> None:
    """Let the wait before the next attempt be over."""
    now = db.session.execute(select(database_now())).scalar_one()
    db.session.execute(
        update(Delivery).where(Delivery.id == delivery_id, Delivery.state == "pending").values(next_try_at=now)
    )
    db.session.commit()


def end_rest() -> None:
    """Let the rest of every lane be over."""
    now = db.session.execute(select(database_now())).scalar_one()
    db.session.execute(update(Lane).values(rest_until=now))
    db.session.commit()


def lanes() -> dict[str, int]:
    """Lanes that rest or rested, and how often they ran out of time."""
    found = {lane.name: lane.timeouts for lane in db.session.scalars(select(Lane))}
    db.session.rollback()
    return found


def hook(scope: str = "global") -> Hook:
    found = webhooks.hook_of(scope)
    db.session.rollback()
    return found


def row(scope: str = "global") -> Webhook:
    """A webhook as the database has it now, detached."""
    found = db.session.get_one(Webhook, scope, populate_existing=True)
    db.session.expunge(found)
    db.session.rollback()
    return found


def verified(request: Request, secret: str, now: float, tolerance: float = 300) -> dict[str, Any]:
    """What a receiver does: the event of a request whose signature is right. After docs/webhook.md, not our code."""
    parts = dict(part.split("=", 1) for part in request.headers["x-voicemail-signature"].split(","))
    signed = parts["t"].encode() + b"." + request.body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(expected, parts["v1"]), "the signature is wrong"
    assert abs(now - int(parts["t"])) <= tolerance, "the request is old"
    event: dict[str, Any] = json.loads(request.body)
    return event
