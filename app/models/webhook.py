"""Webhooks: where they go, and what must be read again to sign them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime, utc_now

GLOBAL = "global"


class Webhook(Base):
    """A webhook, of one mailbox or of all.

    scope: the mailbox's id, or `global` for that of the settings, whose row is made when it is first needed.
    url: empty where there is none. secret, headers (a JSON object): encrypted. off_at: it was switched off since its
    receiver said that it is gone; another URL, or staff, switch it on again.
    """

    __tablename__ = "voicemail_webhook"

    scope: Mapped[str] = mapped_column(String(36), primary_key=True)
    url: Mapped[str] = mapped_column(String(1000), default="")
    secret: Mapped[str] = mapped_column(Text, default="")
    headers: Mapped[str] = mapped_column(Text, default="")
    off_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    off_reason: Mapped[str] = mapped_column(String(200), default="")
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, onupdate=utc_now)
