"""What happened in mailboxes, for whoever is to be told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime, new_id, utc_now


class Event(Base):
    """A change of a mailbox, written in the commit that makes it. data: JSON without secrets and without callers.

    number: the order in which they happened. The ids are no foreign keys: to check them would lock rows of two
    mailboxes in an order of its own, and no such row is ever deleted.
    """

    __tablename__ = "voicemail_event"
    __table_args__ = (UniqueConstraint("id"), Index("ix_voicemail_event_mailbox_number", "mailbox_id", "number"))

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(36), default=new_id)
    event: Mapped[str] = mapped_column(String(40))
    mailbox_id: Mapped[str] = mapped_column(String(36))
    message_id: Mapped[str | None] = mapped_column(String(36), index=True)
    data: Mapped[str] = mapped_column(Text, default="{}")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, index=True)
