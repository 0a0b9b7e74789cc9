"""Messages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, UTCDateTime, new_id, utc_now
from app.models.delivery import Delivery
from app.models.mailbox import Mailbox

NEW, SAVED, DISCARDED = "new", "saved", "discarded"


class Message(Base):
    """A message; its id is the id of its spool file.

    state: `new`, `saved`, or `discarded` (a recording without speech, kept some days, never counted).
    spool_host: the host whose spool holds the audio until the upload is confirmed, then NULL.
    forwarded_from: the id of the message of which this is a copy; forwarded_by: the extension that sent it on.
    arrival: the mailbox's mwi_version of the commit that brought it, which orders arrivals; 0 before there were any.
    deleted_at: in the trash. purged_at: a tombstone, the audio is gone for good and stays gone.
    """

    __tablename__ = "voicemail_message"
    __table_args__ = (Index("ix_voicemail_message_mailbox_received", "mailbox_id", "received_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    mailbox_id: Mapped[str] = mapped_column(ForeignKey("voicemail_box.id"))
    caller_number: Mapped[str] = mapped_column(String(128), default="")
    caller_name: Mapped[str] = mapped_column(String(128), default="")
    call_id: Mapped[str] = mapped_column(String(255), default="")
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    duration: Mapped[float] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(12), default=NEW)
    urgent: Mapped[bool] = mapped_column(Boolean, default=False)
    spool_host: Mapped[str | None] = mapped_column(String(64))
    storage_key: Mapped[str | None] = mapped_column(String(200))
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    content_type: Mapped[str] = mapped_column(String(64), default="audio/wav")
    arrival: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    forwarded_from: Mapped[str | None] = mapped_column(String(36))
    forwarded_by: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    deleted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    purged_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    mailbox: Mapped[Mailbox] = relationship()
    deliveries: Mapped[list[Delivery]] = relationship(order_by=Delivery.position)
