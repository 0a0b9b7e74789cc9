"""Programmable calls and subscriptions: their rows; the rooms that fill them come with those features."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime, new_id, utc_now


class Number(Base):
    """A dialled number and the URL of the document that answers it."""

    __tablename__ = "voicemail_number"
    __table_args__ = (UniqueConstraint("number"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(String(64))
    voice_url: Mapped[str] = mapped_column(String(2000))
    voice_method: Mapped[str] = mapped_column(String(4), default="POST")
    fallback_url: Mapped[str] = mapped_column(String(2000), default="")
    status_callback: Mapped[str] = mapped_column(String(2000), default="")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class Call(Base):
    """A programmed call by its sid (CA and 32 hex digits)."""

    __tablename__ = "voicemail_call"

    sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    parent_sid: Mapped[str | None] = mapped_column(String(34))
    direction: Mapped[str] = mapped_column(String(20))
    caller: Mapped[str] = mapped_column(String(128))
    called: Mapped[str] = mapped_column(String(128))
    status: Mapped[str] = mapped_column(String(20))
    started_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Recording(Base):
    """A recording of a programmed call by its sid (RE and 32 hex digits)."""

    __tablename__ = "voicemail_recording"

    sid: Mapped[str] = mapped_column(String(34), primary_key=True)
    call_sid: Mapped[str] = mapped_column(ForeignKey("voicemail_call.sid"))
    status: Mapped[str] = mapped_column(String(20))
    duration: Mapped[float | None] = mapped_column(Float)
    spool_host: Mapped[str | None] = mapped_column(String(64))
    storage_key: Mapped[str | None] = mapped_column(String(200))
    size: Mapped[int | None] = mapped_column(Integer)
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


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
