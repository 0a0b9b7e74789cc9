"""Sessions that people ended, which a copy of their cookie does not revive.

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.migration_steps import create_index, create_table
from app.models.base import UTCDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "voicemail_ended_session",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_voicemail_ended_session")),
    )
    create_index(op.f("ix_voicemail_ended_session_ended_at"), "voicemail_ended_session", ["ended_at"])


def downgrade() -> None:
    op.drop_table("voicemail_ended_session")
