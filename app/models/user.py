"""People of the portal, tokens of programs, and the record of what they did."""

from __future__ import annotations

from datetime import datetime

from flask_login import UserMixin
from sqlalchemy import Boolean, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, UTCDateTime, new_id, utc_now

ADMIN, STAFF = "admin", "staff"


class User(UserMixin, Base):  # type: ignore[misc]  # Flask-Login has no types
    """A person of the portal. role: admin (everything) or staff (all mailboxes, no settings, no users).

    session_version grows when the password changes, which ends all other sessions.
    """

    __tablename__ = "voicemail_user"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64))
    password_hash: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(12), default=STAFF)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    session_version: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    last_login_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    @property
    def is_active(self) -> bool:
        return self.active

    def get_id(self) -> str:
        """What the session keeps: the id and the version that a new password outdates."""
        return f"{self.id}:{self.session_version}"


class EndedSession(Base):
    """A session that its person ended, by the hash of its token: a copy of its cookie must open nothing."""

    __tablename__ = "voicemail_ended_session"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    ended_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, index=True)


class Token(Base):
    """A bearer token of a program, for one mailbox or (mailbox_id NULL) for all; only its hash is kept."""

    __tablename__ = "voicemail_token"
    __table_args__ = (UniqueConstraint("token_hash"), UniqueConstraint("name"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64))
    mailbox_id: Mapped[str | None] = mapped_column(ForeignKey("voicemail_box.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Audit(Base):
    """What staff and programs changed: who, what, on which object, in words without secrets."""

    __tablename__ = "voicemail_audit"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UTCDateTime, default=utc_now, index=True)
    actor: Mapped[str] = mapped_column(String(100))
    action: Mapped[str] = mapped_column(String(60))
    object_id: Mapped[str] = mapped_column(String(64), default="")
    detail: Mapped[str] = mapped_column(Text, default="")
