"""Deliveries: what became of each attempt, webhooks, mail and retention by mailbox.

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.migration_steps import add_column, create_index, create_table, widen
from app.models.base import UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BOX_COLUMNS = (
    ("mail_attachment", sa.String(length=8), {"nullable": True}),
    ("after_mailing", sa.String(length=8), {"nullable": False, "server_default": "keep"}),
    ("new_days", sa.Integer(), {"nullable": True}),
    ("saved_days", sa.Integer(), {"nullable": True}),
    ("trash_days", sa.Integer(), {"nullable": True}),
)


def upgrade() -> None:
    for name, kind, options in BOX_COLUMNS:
        add_column("voicemail_box", name, kind, **options)
    widen("voicemail_box", "email", sa.String(length=254), sa.String(length=1000), existing_nullable=False)
    create_table(
        "voicemail_attempt",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("delivery_id", sa.String(length=36), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("next_try_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["voicemail_delivery.id"],
            name=op.f("fk_voicemail_attempt_delivery_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_voicemail_attempt")),
    )
    create_index(op.f("ix_voicemail_attempt_delivery_id"), "voicemail_attempt", ["delivery_id"])
    create_table(
        "voicemail_webhook",
        sa.Column("scope", sa.String(length=36), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("off_at", UTCDateTime(), nullable=True),
        sa.Column("off_reason", sa.String(length=200), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_voicemail_webhook")),
    )


def downgrade() -> None:
    op.drop_table("voicemail_webhook")
    op.drop_table("voicemail_attempt")
    for name, _, _ in reversed(BOX_COLUMNS):
        op.drop_column("voicemail_box", name)
