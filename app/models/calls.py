"""Numbers, programmed calls with their traces and recordings, and subscriptions of phones."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime, new_id, utc_now

CATCH_ALL = "*"


class Number(Base):
    """What answers calls by documents: a dialled number (CATCH_ALL: all that nothing else answers), or a mailbox's own.

    Exactly one of number and mailbox_id is set. language: of apologies, one of app.config.LANGUAGES.
    """

    __tablename__ = "voicemail_number"
    __table_args__ = (UniqueConstraint("number"), UniqueConstraint("mailbox_id"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    number: Mapped[str | None] = mapped_column(String(64))
    mailbox_id: Mapped[str | None] = mapped_column(ForeignKey("voicemail_box.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(80), default="")
    language: Mapped[str] = mapped_column(String(5))
    voice_url: Mapped[str] = mapped_column(String(2000))
    voice_method: Mapped[str] = mapped_column(String(4), default="POST")
    fallback_url: Mapped[str] = mapped_column(String(2000), default="")
    fallback_method: Mapped[str] = mapped_column(String(4), default="POST")
    status_callback: Mapped[str] = mapped_column(String(2000), default="")
    status_callback_method: Mapped[str] = mapped_column(String(4), default="POST")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class Call(Base):
    """A programmed call by its sid (CA and 32 hex digits).

    status: ringing, in-progress, completed, busy, failed, no-answer, canceled. sip_call_id: the Call-ID on the wire,
    empty for a simulated call. error_code, error: what went wrong last, by Twilio's number and in words.
    """

    __tablename__ = "voicemail_call"
    __table_args__ = (Index("ix_voicemail_call_number_id_started_at", "number_id", "started_at"),)

    sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    parent_sid: Mapped[str | None] = mapped_column(String(34))
    number_id: Mapped[str | None] = mapped_column(ForeignKey("voicemail_number.id", ondelete="SET NULL"))
    direction: Mapped[str] = mapped_column(String(20))
    caller: Mapped[str] = mapped_column(String(128))
    called: Mapped[str] = mapped_column(String(128))
    status: Mapped[str] = mapped_column(String(20))
    sip_call_id: Mapped[str] = mapped_column(String(255), default="", index=True)
    simulated: Mapped[bool] = mapped_column(Boolean, default=False)
    error_code: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str] = mapped_column(String(500), default="")
    started_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, index=True)
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class CallStep(Base):
    """A line of a programmed call's trace (voice/twiml/trace.py), in the order of position.

    seconds: how long it took, None for what takes no time or has not ended. detail: JSON, secrets masked.
    """

    __tablename__ = "voicemail_call_step"

    call_sid: Mapped[str] = mapped_column(ForeignKey("voicemail_call.sid", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16))
    what: Mapped[str] = mapped_column(String(200))
    outcome: Mapped[str] = mapped_column(String(500), default="")
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    seconds: Mapped[float | None] = mapped_column(Float)
    detail: Mapped[str] = mapped_column(Text, default="{}")


class Recording(Base):
    """A recording of a programmed call by its sid (RE and 32 hex digits).

    take_id: of its take in the spool of spool_host, which is None once it is in the store under storage_key.
    status: in-progress, completed, absent. duration: seconds. deleted_at: by its owner or by retention; purged_at: a
    tombstone, the audio is gone for good and stays gone.
    """

    __tablename__ = "voicemail_recording"
    __table_args__ = (UniqueConstraint("take_id"), Index("ix_voicemail_recording_call_sid", "call_sid"))

    sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    call_sid: Mapped[str] = mapped_column(ForeignKey("voicemail_call.sid"))
    take_id: Mapped[str | None] = mapped_column(String(36))
    status: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(20), default="RecordVerb")
    duration: Mapped[float | None] = mapped_column(Float)
    spool_host: Mapped[str | None] = mapped_column(String(64))
    storage_key: Mapped[str | None] = mapped_column(String(200))
    size: Mapped[int | None] = mapped_column(Integer)
    sha256: Mapped[str | None] = mapped_column(String(64))
    started_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, index=True)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    purged_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Subscription(Base):
    """A phone's subscription to message-summary: the dialog, kept over a restart (RFC 6665, RFC 3842)."""

    __tablename__ = "voicemail_subscription"
    __table_args__ = (UniqueConstraint("dialog_key"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    mailbox_id: Mapped[str] = mapped_column(ForeignKey("voicemail_box.id", ondelete="CASCADE"))
    dialog_key: Mapped[str] = mapped_column(String(64))
    dialog: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
