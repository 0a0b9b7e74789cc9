"""Recordings of programmed calls as the voice worker hands them over; call these inside of an application context."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update

from app.extensions import db
from app.jobs import run
from app.models import Delivery, Recording
from app.models.base import new_id
from app.services import recordings
from app.services.context import settings
from app.services.spool import wav_of
from voice.media import wav
from voice.media.g711 import Law

CALL_SID = "CA" + "c0" * 16
STARTED = datetime(2026, 11, 23, 10, 0, 0, 250_000, UTC)


def take(seconds: float = 2.0, **facts: Any) -> recordings.RecordingTake:
    """A finished recording with its files in the spool."""
    take_id = new_id()
    path = wav_of(settings(), take_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = (bytes(range(256)) * (int(seconds * 8000 / 256) + 1))[: int(seconds * 8000)]
    path.write_bytes(wav.header(Law.PCMU, len(audio)) + audio)
    path.with_suffix(".json").write_text("{}")
    usual: dict[str, Any] = {
        "id": take_id,
        "sid": f"RE{secrets.token_hex(16)}",
        "call_sid": CALL_SID,
        "caller": "0301234567",
        "called": "5551234",
        "sip_call_id": f"{take_id}@pbx",
        "started_at": STARTED,
        "duration": len(audio) / 8000,
        "size": path.stat().st_size,
        "sha256": wav.sha256_of(path),
        "host": settings().host_name,
    }
    return recordings.RecordingTake(**(usual | facts))


def recorded(*, uploaded: bool = True, created_at: datetime | None = None, **facts: Any) -> str:
    """The sid of a recording, which is in the store, or only in the spool yet."""
    sid = recordings.save(take(**facts)).sid
    if uploaded:
        run.deliver(upload_of(sid).id)
    if created_at:
        db.session.execute(update(Recording).where(Recording.sid == sid).values(created_at=created_at))
        db.session.commit()
    db.session.rollback()
    return sid


def upload_of(sid: str) -> Delivery:
    """Its upload, as the database has it now."""
    db.session.rollback()
    return db.session.scalars(select(Delivery).where(Delivery.recording_sid == sid)).one()


def row(sid: str) -> Recording:
    """The recording as the database has it now."""
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Recording, sid)
