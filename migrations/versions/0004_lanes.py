"""Lanes: receivers of webhooks that do not answer in time hold up no others.

Revision: 0004, after 0003.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.migration_steps import add_column, create_table
from app.models.base import UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    add_column("voicemail_webhook", "lane", sa.String(length=270), nullable=False, server_default="")
    create_table(
        "voicemail_lane",
        sa.Column("name", sa.String(length=270), nullable=False),
        sa.Column("timeouts", sa.Integer(), nullable=False),
        sa.Column("rest_until", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_voicemail_lane")),
    )


def downgrade() -> None:
    op.drop_table("voicemail_lane")
    op.drop_column("voicemail_webhook", "lane")
