"""Owners run their mailbox by phone: its own limits, aliases, kinds of greetings, lock-outs, forwarding, events.

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.migration_steps import add_column, create_index, create_table
from app.models.base import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BOX_COLUMNS = (
    ("operator", sa.String(length=64), {"nullable": True}),
    ("announcement_only", sa.Boolean(), {"nullable": False, "server_default": sa.false()}),
    ("trusts_own_phone", sa.Boolean(), {"nullable": False, "server_default": sa.false()}),
    ("speaks_envelope", sa.Boolean(), {"nullable": True}),
    ("review", sa.Boolean(), {"nullable": True}),
    ("max_messages", sa.Integer(), {"nullable": True}),
    ("max_seconds", sa.Integer(), {"nullable": True}),
    ("max_duration", sa.Float(), {"nullable": True}),
    ("silence_timeout", sa.Float(), {"nullable": True}),
    ("min_speech", sa.Float(), {"nullable": True}),
    ("phone_failures", sa.Text(), {"nullable": True}),
    ("phone_locked_until", UTCDateTime(), {"nullable": True}),
    ("phone_locks", sa.Integer(), {"nullable": False, "server_default": "0"}),
)
MESSAGE_COLUMNS = (
    ("arrival", sa.Integer(), {"nullable": False, "server_default": "0"}),
    ("forwarded_from", sa.String(length=36), {"nullable": True}),
    ("forwarded_by", sa.String(length=20), {"nullable": True}),
)


def upgrade() -> None:
    for name, kind, options in BOX_COLUMNS:
        add_column("voicemail_box", name, kind, **options)
    for name, kind, options in MESSAGE_COLUMNS:
        add_column("voicemail_message", name, kind, **options)
    add_column("voicemail_greeting", "ends_at", UTCDateTime(), nullable=True)

    create_table(
        "voicemail_alias",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("mailbox_id", sa.String(length=36), nullable=False),
        sa.Column("is_extension", sa.Boolean(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["voicemail_box.id"], name=op.f("fk_voicemail_alias_mailbox_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_voicemail_alias")),
    )
    create_index(op.f("ix_voicemail_alias_mailbox_id"), "voicemail_alias", ["mailbox_id"])
    create_table(
        "voicemail_event",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("mailbox_id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_voicemail_event")),
        sa.UniqueConstraint("id", name=op.f("uq_voicemail_event_id")),
    )
    create_index("ix_voicemail_event_mailbox_number", "voicemail_event", ["mailbox_id", "number"])
    create_index(op.f("ix_voicemail_event_created_at"), "voicemail_event", ["created_at"])
    create_index(op.f("ix_voicemail_event_message_id"), "voicemail_event", ["message_id"])
    _give_extensions_their_place()


def _give_extensions_their_place() -> None:
    """The extensions of mailboxes that live share one index with the aliases."""
    box = sa.table("voicemail_box", *(sa.column(name) for name in ("id", "live_extension", "created_at")))
    alias = sa.table(
        "voicemail_alias",
        sa.column("number"),
        sa.column("mailbox_id"),
        sa.column("is_extension", sa.Boolean()),
        sa.column("created_at"),
    )
    living = sa.select(box.c.live_extension, box.c.id, sa.true(), box.c.created_at).where(
        box.c.live_extension.is_not(None), box.c.live_extension.not_in(sa.select(alias.c.number))
    )
    op.execute(alias.insert().from_select(["number", "mailbox_id", "is_extension", "created_at"], living))


def downgrade() -> None:
    op.drop_table("voicemail_event")
    op.drop_table("voicemail_alias")
    op.drop_column("voicemail_greeting", "ends_at")
    for name, _, _ in reversed(MESSAGE_COLUMNS):
        op.drop_column("voicemail_message", name)
    for name, _, _ in reversed(BOX_COLUMNS):
        op.drop_column("voicemail_box", name)
