"""What happened in mailboxes, for whoever is to be told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime, new_id, utc_now


class Event(Base):
    """A change of a mailbox, written in the commit that makes it. data: JSON without secrets and without callers."""

    __tablename__ = "voicemail_event"
    __table_args__ = (Index("ix_voicemail_event_mailbox_created", "mailbox_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    event: Mapped[str] = mapped_column(String(40))
    mailbox_id: Mapped[str] = mapped_column(ForeignKey("voicemail_box.id"))
    message_id: Mapped[str | None] = mapped_column(ForeignKey("voicemail_message.id"), index=True)
    data: Mapped[str] = mapped_column(Text, default="{}")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
