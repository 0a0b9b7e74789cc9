"""Mailboxes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Float, Integer, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.alias import Alias
from app.models.base import Base, UTCDateTime, new_id, utc_now
from app.models.greeting import Greeting

NO_ATTACHMENT = "none"
ATTACHMENTS = (NO_ATTACHMENT, "wav", "mp3")
KEEP, READ, TRASH = "keep", "read", "trash"
AFTER_MAILING = (KEEP, READ, TRASH)


class Mailbox(Base):
    """A mailbox: its extension may be used again after a delete, its messages never follow the number.

    `live_extension` equals the extension while the mailbox exists and is NULL after the soft delete,
    so that its unique index lets one living mailbox at most have an extension, on every database.

    operator ... min_speech: NULL is the global setting; seconds. phone_failures: JSON list of the times of wrong PINs
    that still count; phone_locks: how many locks followed each other, each twice as long as the one before.
    email: addresses separated by commas. mail_attachment: none, wav or mp3; after_mailing: keep, read or trash.
    new_days, saved_days, trash_days: how long messages stay. NULL is the global setting for these too.
    mwi_version grows with each change of its messages; mwi_dirty: some lamp may not show that version yet.
    """

    __tablename__ = "voicemail_box"
    __table_args__ = (UniqueConstraint("live_extension"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    extension: Mapped[str] = mapped_column(String(20), index=True)
    live_extension: Mapped[str | None] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100), default="")
    email: Mapped[str] = mapped_column(String(1000), default="")
    language: Mapped[str] = mapped_column(String(8), default="en")
    timezone: Mapped[str] = mapped_column(String(64), default="UTC")
    pin_hash: Mapped[str] = mapped_column(String(255))
    operator: Mapped[str | None] = mapped_column(String(64))
    announcement_only: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    trusts_own_phone: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    speaks_envelope: Mapped[bool | None] = mapped_column(Boolean)
    review: Mapped[bool | None] = mapped_column(Boolean)
    max_messages: Mapped[int | None] = mapped_column(Integer)
    max_seconds: Mapped[int | None] = mapped_column(Integer)
    max_duration: Mapped[float | None] = mapped_column(Float)
    silence_timeout: Mapped[float | None] = mapped_column(Float)
    min_speech: Mapped[float | None] = mapped_column(Float)
    phone_failures: Mapped[str | None] = mapped_column(Text)
    phone_locked_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    phone_locks: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    mail_attachment: Mapped[str | None] = mapped_column(String(8))
    after_mailing: Mapped[str] = mapped_column(String(8), default="keep", server_default="keep")
    new_days: Mapped[int | None] = mapped_column(Integer)
    saved_days: Mapped[int | None] = mapped_column(Integer)
    trash_days: Mapped[int | None] = mapped_column(Integer)
    mwi_dirty: Mapped[bool] = mapped_column(Boolean, default=False, index=True)
    mwi_version: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, onupdate=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    greetings: Mapped[list[Greeting]] = relationship(order_by=Greeting.kind)
    aliases: Mapped[list[Alias]] = relationship(
        primaryjoin="and_(Alias.mailbox_id == Mailbox.id, ~Alias.is_extension)", order_by=Alias.number, viewonly=True
    )
