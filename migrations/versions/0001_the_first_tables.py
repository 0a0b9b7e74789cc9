"""The first tables.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.migration_steps import create_index, create_table
from app.models.base import UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_table(
        "voicemail_audit",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_audit")),
    )
    create_index(op.f("ix_voicemail_audit_at"), "voicemail_audit", ["at"])

    create_table(
        "voicemail_box",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("extension", sa.String(length=20), nullable=False),
        sa.Column("live_extension", sa.String(length=20), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("pin_hash", sa.String(length=255), nullable=False),
        sa.Column("mwi_dirty", sa.Boolean(), nullable=False),
        sa.Column("mwi_version", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("updated_at", UTCDateTime(), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_box")),
        sa.UniqueConstraint("live_extension", name=op.f("uq_voicemail_box_live_extension")),
    )
    create_index(op.f("ix_voicemail_box_extension"), "voicemail_box", ["extension"])

    create_table(
        "voicemail_call",
        sa.Column("sid", sa.String(length=34), nullable=False),
        sa.Column("parent_sid", sa.String(length=34), nullable=True),
        sa.Column("direction", sa.String(length=20), nullable=False),
        sa.Column("caller", sa.String(length=128), nullable=False),
        sa.Column("called", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("answered_at", UTCDateTime(), nullable=True),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_voicemail_call")),
    )
    create_table(
        "voicemail_number",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.String(length=64), nullable=False),
        sa.Column("voice_url", sa.String(length=2000), nullable=False),
        sa.Column("voice_method", sa.String(length=4), nullable=False),
        sa.Column("fallback_url", sa.String(length=2000), nullable=False),
        sa.Column("status_callback", sa.String(length=2000), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_number")),
        sa.UniqueConstraint("number", name=op.f("uq_voicemail_number_number")),
    )
    create_table(
        "voicemail_prompt",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("storage_key", sa.String(length=200), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_prompt")),
        sa.UniqueConstraint("name", "language", name=op.f("uq_voicemail_prompt_name")),
    )
    create_table(
        "voicemail_user",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=12), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("session_version", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("last_login_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_user")),
        sa.UniqueConstraint("name", name=op.f("uq_voicemail_user_name")),
    )
    create_table(
        "voicemail_greeting",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("mailbox_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("storage_key", sa.String(length=200), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("duration", sa.Float(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["voicemail_box.id"], name=op.f("fk_voicemail_greeting_mailbox_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_greeting")),
        sa.UniqueConstraint("mailbox_id", "kind", name=op.f("uq_voicemail_greeting_mailbox_id")),
    )
    create_table(
        "voicemail_message",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("mailbox_id", sa.String(length=36), nullable=False),
        sa.Column("caller_number", sa.String(length=128), nullable=False),
        sa.Column("caller_name", sa.String(length=128), nullable=False),
        sa.Column("call_id", sa.String(length=255), nullable=False),
        sa.Column("received_at", UTCDateTime(), nullable=False),
        sa.Column("duration", sa.Float(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("spool_host", sa.String(length=64), nullable=True),
        sa.Column("storage_key", sa.String(length=200), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content_type", sa.String(length=64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.Column("purged_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["mailbox_id"], ["voicemail_box.id"], name=op.f("fk_voicemail_message_mailbox_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_message")),
    )
    create_index("ix_voicemail_message_mailbox_received", "voicemail_message", ["mailbox_id", "received_at"])

    create_table(
        "voicemail_recording",
        sa.Column("sid", sa.String(length=34), nullable=False),
        sa.Column("call_sid", sa.String(length=34), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("duration", sa.Float(), nullable=True),
        sa.Column("spool_host", sa.String(length=64), nullable=True),
        sa.Column("storage_key", sa.String(length=200), nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("deleted_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["call_sid"], ["voicemail_call.sid"], name=op.f("fk_voicemail_recording_call_sid")),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_voicemail_recording")),
    )
    create_table(
        "voicemail_subscription",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("mailbox_id", sa.String(length=36), nullable=False),
        sa.Column("dialog_key", sa.String(length=64), nullable=False),
        sa.Column("dialog", sa.Text(), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["voicemail_box.id"], name=op.f("fk_voicemail_subscription_mailbox_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_subscription")),
        sa.UniqueConstraint("dialog_key", name=op.f("uq_voicemail_subscription_dialog_key")),
    )
    create_table(
        "voicemail_token",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("mailbox_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("last_used_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["voicemail_box.id"], name=op.f("fk_voicemail_token_mailbox_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_token")),
        sa.UniqueConstraint("name", name=op.f("uq_voicemail_token_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_voicemail_token_token_hash")),
    )
    create_table(
        "voicemail_delivery",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("event_id", sa.String(length=36), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("mailbox_id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("target", sa.String(length=500), nullable=False),
        sa.Column("idempotency_key", sa.String(length=100), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("fencing", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=True),
        sa.Column("next_try_at", UTCDateTime(), nullable=False),
        sa.Column("queued_until", UTCDateTime(), nullable=True),
        sa.Column("lease_until", UTCDateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("done_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["mailbox_id"], ["voicemail_box.id"], name=op.f("fk_voicemail_delivery_mailbox_id")),
        sa.ForeignKeyConstraint(
            ["message_id"], ["voicemail_message.id"], name=op.f("fk_voicemail_delivery_message_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_delivery")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_voicemail_delivery_idempotency_key")),
    )
    create_index("ix_voicemail_delivery_due", "voicemail_delivery", ["state", "next_try_at"])
    create_index(op.f("ix_voicemail_delivery_event_id"), "voicemail_delivery", ["event_id"])
    create_index("ix_voicemail_delivery_mailbox_state", "voicemail_delivery", ["mailbox_id", "state"])
    create_index(op.f("ix_voicemail_delivery_message_id"), "voicemail_delivery", ["message_id"])


def downgrade() -> None:
    # Indexes go with their tables: MariaDB keeps one that a foreign key needs.
    for table in (
        "voicemail_delivery",
        "voicemail_token",
        "voicemail_subscription",
        "voicemail_recording",
        "voicemail_message",
        "voicemail_greeting",
        "voicemail_user",
        "voicemail_prompt",
        "voicemail_number",
        "voicemail_call",
        "voicemail_box",
        "voicemail_audit",
    ):
        op.drop_table(table)
