"""Message waiting by device: who was told what, when, and what it answered."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime

SUBSCRIPTION, PBX = "subscription", "pbx"


class Lamp(Base):
    """A phone that subscribed, or a PBX that is told of a mailbox without a subscription.

    key: a digest of the dialog, or of the PBX with mailbox and extension. device: a SIP URI. target: of a PBX the URI
    with {extension} in it; empty for a subscription. extension: of a PBX, the one that it was told of. host: the voice
    worker that sends, as HOST:PORT.
    version: the mailbox's mwi_version that the device knows of; new_count ... urgent_saved: what was sent last.
    answer: in words; works: whether it was a 2xx. claimed_by, claimed_until: the worker that is about to tell a PBX.
    expires_at: after it the row says nothing any more. Times are the database's.
    """

    __tablename__ = "voicemail_lamp"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    mailbox_id: Mapped[str] = mapped_column(ForeignKey("voicemail_box.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    device: Mapped[str] = mapped_column(String(255), default="")
    target: Mapped[str] = mapped_column(String(255), default="")
    extension: Mapped[str] = mapped_column(String(20), default="")
    host: Mapped[str] = mapped_column(String(80), default="")
    version: Mapped[int] = mapped_column(Integer, default=-1)
    new_count: Mapped[int] = mapped_column(Integer, default=0)
    saved_count: Mapped[int] = mapped_column(Integer, default=0)
    urgent_new: Mapped[int] = mapped_column(Integer, default=0)
    urgent_saved: Mapped[int] = mapped_column(Integer, default=0)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    answer: Mapped[str] = mapped_column(String(200), default="")
    works: Mapped[bool] = mapped_column(Boolean, default=False)
    claimed_by: Mapped[str | None] = mapped_column(String(80))
    claimed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
