"""Messages that owe something, made straight in the tables and the spool."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select, update

from app.config import Settings
from app.extensions import db
from app.models import Delivery, Mailbox, Message
from app.models.base import database_now, new_id, utc_now
from app.models.delivery import PENDING
from app.services import outbox_rows

CONTENT = b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(range(256)) * 64


def settings_of(app: Flask) -> Settings:
    settings: Settings = app.extensions["settings"]
    return settings


def tune(app: Flask, **delivery: Any) -> None:
    """Change settings of [delivery] in an application."""
    settings = settings_of(app)
    app.extensions["settings"] = replace(settings, delivery=replace(settings.delivery, **delivery))


def owe(
    app: Flask,
    *,
    pending: Sequence[str] = ("upload",),
    content: bytes = CONTENT,
    host: str = "",
    extension: str = "1001",
) -> str:
    """A message whose recording is in the spool and whose deliveries of these kinds are pending; its id."""
    settings = settings_of(app)
    with app.app_context():
        box = Mailbox(extension=extension, pin_hash="-")
        db.session.add(box)
        db.session.flush()
        message = Message(
            id=new_id(),
            mailbox_id=box.id,
            caller_number="+81312345678",
            caller_name="Zoë 王",
            received_at=utc_now(),
            duration=2.5,
            spool_host=host or settings.host_name,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        db.session.add(message)
        db.session.flush()
        rows = outbox_rows.for_message(message, new_id(), settings)
        for row in rows:
            if row.kind in pending:
                row.state = PENDING
        db.session.add_all(rows)
        db.session.commit()
        message_id = message.id
    settings.spool_dir.mkdir(parents=True, exist_ok=True)
    (settings.spool_dir / f"{message_id}.wav").write_bytes(content)
    (settings.spool_dir / f"{message_id}.json").write_text(json.dumps({"id": message_id, "state": "complete"}))
    return message_id


def row(app: Flask, message_id: str, kind: str = "upload") -> Delivery:
    """The delivery as the database has it now, detached."""
    with app.app_context():
        found = db.session.scalars(select(Delivery).filter_by(message_id=message_id, kind=kind)).one()
        db.session.expunge(found)
        return found


def message_of(app: Flask, message_id: str) -> Message:
    """The message as the database has it now, detached."""
    with app.app_context():
        found = db.session.get_one(Message, message_id)
        db.session.expunge(found)
        return found


def change(app: Flask, delivery_id: str, **values: Any) -> None:
    """Write columns of a delivery, as time or another process would have."""
    with app.app_context():
        db.session.execute(update(Delivery).where(Delivery.id == delivery_id).values(**values))
        db.session.commit()


def lapse(app: Flask, delivery_id: str) -> None:
    """Let the lease of a delivery end a second ago."""
    with app.app_context():
        now = db.session.execute(select(database_now())).scalar_one()
        db.session.rollback()
    change(app, delivery_id, lease_until=now - timedelta(seconds=1))


def make_due(app: Flask, delivery_id: str) -> None:
    """Let the wait before the next attempt be over, and the queue have lost it."""
    with app.app_context():
        now = db.session.execute(select(database_now())).scalar_one()
        db.session.rollback()
    change(app, delivery_id, next_try_at=now - timedelta(seconds=1), queued_until=None)
