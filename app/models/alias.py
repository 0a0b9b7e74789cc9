"""Numbers that lead to mailboxes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime, utc_now


class Alias(Base):
    """A number that leads to a living mailbox: an alias, or its extension itself.

    The extension has a row here too, so that one index keeps a number from leading to two mailboxes, on every database.
    The rows of a mailbox go when it is deleted: its numbers are free again.
    """

    __tablename__ = "voicemail_alias"

    number: Mapped[str] = mapped_column(String(20), primary_key=True)
    mailbox_id: Mapped[str] = mapped_column(ForeignKey("voicemail_box.id", ondelete="CASCADE"), index=True)
    is_extension: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
