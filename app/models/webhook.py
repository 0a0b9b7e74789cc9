"""Webhooks: where they go, and what must be read again to sign them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime, utc_now

GLOBAL = "global"


class Webhook(Base):
    """A webhook, of one mailbox or of all.

    scope: the mailbox's id, or `global` for that of the settings, whose row is made when it is first needed.
    url: empty where there is none; for `global` a fingerprint of the URL that was switched off. secret, headers (a JSON
    object): encrypted. lane: host and port of the URL. off_at: it was switched off since its receiver said that it is
    gone; another URL, or staff, switch it on again.
    """

    __tablename__ = "voicemail_webhook"

    scope: Mapped[str] = mapped_column(String(36), primary_key=True)
    url: Mapped[str] = mapped_column(String(1000), default="")
    secret: Mapped[str] = mapped_column(Text, default="")
    headers: Mapped[str] = mapped_column(Text, default="")
    lane: Mapped[str] = mapped_column(String(270), default="", server_default="")
    off_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    off_reason: Mapped[str] = mapped_column(String(200), default="")
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, onupdate=utc_now)


class Lane(Base):
    """A host and port whose last attempt ran out of time; gone as soon as one answers.

    timeouts: how many followed each other. rest_until: nobody calls it before.
    """

    __tablename__ = "voicemail_lane"

    name: Mapped[str] = mapped_column(String(270), primary_key=True)
    timeouts: Mapped[int] = mapped_column(Integer)
    rest_until: Mapped[datetime] = mapped_column(UTCDateTime)
