"""Lamps: which device was told of which counts, and mailboxes whose lamps are behind are found quickly.

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.migration_steps import create_index, create_table
from app.models.base import UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXTS = (("kind", 16), ("device", 255), ("target", 255), ("extension", 20), ("host", 80))
NUMBERS = ("version", "new_count", "saved_count", "urgent_new", "urgent_saved")


def upgrade() -> None:
    create_table(
        "voicemail_lamp",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("mailbox_id", sa.String(length=36), nullable=False),
        *(sa.Column(name, sa.String(length=length), nullable=False) for name, length in TEXTS),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in NUMBERS),
        sa.Column("sent_at", UTCDateTime(), nullable=True),
        sa.Column("answer", sa.String(length=200), nullable=False),
        sa.Column("works", sa.Boolean(), nullable=False),
        sa.Column("claimed_by", sa.String(length=80), nullable=True),
        sa.Column("claimed_until", UTCDateTime(), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["voicemail_box.id"], name=op.f("fk_voicemail_lamp_mailbox_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_voicemail_lamp")),
    )
    create_index(op.f("ix_voicemail_lamp_mailbox_id"), "voicemail_lamp", ["mailbox_id"])
    create_index(op.f("ix_voicemail_box_mwi_dirty"), "voicemail_box", ["mwi_dirty"])


def downgrade() -> None:
    op.drop_index(op.f("ix_voicemail_box_mwi_dirty"), table_name="voicemail_box")
    op.drop_table("voicemail_lamp")
