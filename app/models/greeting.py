"""Greetings of mailboxes and custom prompts of the system; the audio is in the store."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, ForeignKey, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime, new_id, utc_now

UNAVAILABLE, BUSY, TEMPORARY, NAME = "unavailable", "busy", "temporary", "name"
KINDS = (UNAVAILABLE, BUSY, TEMPORARY, NAME)


class Greeting(Base):
    """A greeting of a mailbox, one a kind: 8 kHz mono WAV in the store.

    kind: `unavailable` (the mailbox's own one), `busy`, `temporary` (goes before all others until ends_at), or `name`
    (the recorded name, for a standard sentence). ends_at: of a temporary one; NULL is until it is removed.
    """

    __tablename__ = "voicemail_greeting"
    __table_args__ = (UniqueConstraint("mailbox_id", "kind"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    mailbox_id: Mapped[str] = mapped_column(ForeignKey("voicemail_box.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20), default="unavailable")
    storage_key: Mapped[str] = mapped_column(String(200))
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    duration: Mapped[float] = mapped_column(Float)
    ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)


class Prompt(Base):
    """A custom prompt laid over the built-in one of the same name and language."""

    __tablename__ = "voicemail_prompt"
    __table_args__ = (UniqueConstraint("name", "language"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(8))
    storage_key: Mapped[str] = mapped_column(String(200))
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
