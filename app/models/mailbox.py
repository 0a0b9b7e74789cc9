"""Mailboxes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, UTCDateTime, new_id, utc_now
from app.models.greeting import Greeting


class Mailbox(Base):
    """A mailbox: its extension may be used again after a delete, its messages never follow the number.

    `live_extension` equals the extension while the mailbox exists and is NULL after the soft delete,
    so that its unique index lets one living mailbox at most have an extension, on every database.
    """

    __tablename__ = "voicemail_box"
    __table_args__ = (UniqueConstraint("live_extension"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    extension: Mapped[str] = mapped_column(String(20), index=True)
    live_extension: Mapped[str | None] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100), default="")
    email: Mapped[str] = mapped_column(String(254), default="")
    language: Mapped[str] = mapped_column(String(8), default="en")
    timezone: Mapped[str] = mapped_column(String(64), default="UTC")
    pin_hash: Mapped[str] = mapped_column(String(255))
    mwi_dirty: Mapped[bool] = mapped_column(Boolean, default=False)
    mwi_version: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, onupdate=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    greetings: Mapped[list[Greeting]] = relationship(order_by=Greeting.kind)
