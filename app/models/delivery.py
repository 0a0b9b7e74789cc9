"""The outbox: what is still owed to the world, a row a delivery."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime, new_id, utc_now

PENDING, RUNNING, DONE, FAILED, SKIPPED = "pending", "running", "done", "failed", "skipped"


class Delivery(Base):
    """One delivery; written in the commit that saves what it tells of.

    kind: upload, email, webhook. position: its place in the order upload, email, webhook.
    mailbox_id, message_id: whose and which message it tells of. recording_sid: in place of both, the recording of a
    programmed call that is to be uploaded.
    target: the host of the spool, an e-mail address, or the scope of a webhook.
    fencing: grows with each claim; an outcome counts only with the number of its own claim.
    queued_until: the relay enqueues the row again only after this time (database clock).
    """

    __tablename__ = "voicemail_delivery"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        Index("ix_voicemail_delivery_due", "state", "next_try_at"),
        Index("ix_voicemail_delivery_mailbox_state", "mailbox_id", "state"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    event_id: Mapped[str] = mapped_column(String(36), default=new_id, index=True)
    event: Mapped[str] = mapped_column(String(40), default="message.created")
    mailbox_id: Mapped[str | None] = mapped_column(ForeignKey("voicemail_box.id"))
    message_id: Mapped[str | None] = mapped_column(ForeignKey("voicemail_message.id"), index=True)
    recording_sid: Mapped[str | None] = mapped_column(ForeignKey("voicemail_recording.sid"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    target: Mapped[str] = mapped_column(String(500), default="")
    idempotency_key: Mapped[str] = mapped_column(String(100), default=new_id)
    position: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(12), default=PENDING)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    fencing: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    next_try_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    queued_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_error: Mapped[str] = mapped_column(Text, default="")
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Attempt(Base):
    """How one attempt of a delivery ended; written in the commit of its outcome. next_try_at: where another follows."""

    __tablename__ = "voicemail_attempt"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    delivery_id: Mapped[str] = mapped_column(ForeignKey("voicemail_delivery.id", ondelete="CASCADE"), index=True)
    attempt: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime] = mapped_column(UTCDateTime)
    state: Mapped[str] = mapped_column(String(12))
    error: Mapped[str] = mapped_column(Text, default="")
    next_try_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
