"""Programmed calls: numbers, calls with their traces, recordings. The tables of 0001 were never filled.

Revision: 0006, after 0005.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from app.migration_steps import add_column, create_index, create_table, has_column
from app.models.base import UTCDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What refers to others goes first; one that has the new column is made already.
    for table, column in (("recording", "take_id"), ("call", "sip_call_id"), ("number", "name")):
        if not has_column(f"voicemail_{table}", column):
            op.execute(f"DROP TABLE IF EXISTS voicemail_{table}")
    _make_numbers()
    _make_calls()
    _make_recordings()
    _let_recordings_be_delivered()


def _text(name: str, length: int, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[UTCDateTime]:
    return sa.Column(name, UTCDateTime(), nullable=nullable)


def _make_numbers() -> None:
    create_table(
        "voicemail_number",
        _text("id", 36),
        _text("number", 64, nullable=True),
        _text("mailbox_id", 36, nullable=True),
        _text("name", 80),
        _text("language", 5),
        _text("voice_url", 2000),
        _text("voice_method", 4),
        _text("fallback_url", 2000),
        _text("fallback_method", 4),
        _text("status_callback", 2000),
        _text("status_callback_method", 4),
        _time("created_at"),
        sa.ForeignKeyConstraint(
            ["mailbox_id"], ["voicemail_box.id"], name=op.f("fk_voicemail_number_mailbox_id"), ondelete="CASCADE"
        ),
        sa.UniqueConstraint("mailbox_id", name=op.f("uq_voicemail_number_mailbox_id")),
        sa.UniqueConstraint("number", name=op.f("uq_voicemail_number_number")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_number")),
    )


def _make_calls() -> None:
    create_table(
        "voicemail_call",
        _text("sid", 34),
        _text("parent_sid", 34, nullable=True),
        _text("number_id", 36, nullable=True),
        _text("direction", 20),
        _text("caller", 128),
        _text("called", 128),
        _text("status", 20),
        _text("sip_call_id", 255),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("error_code", sa.Integer(), nullable=True),
        _text("error", 500),
        _time("started_at"),
        _time("answered_at", nullable=True),
        _time("ended_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["number_id"], ["voicemail_number.id"], name=op.f("fk_voicemail_call_number_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_voicemail_call")),
    )
    create_index("ix_voicemail_call_number_id_started_at", "voicemail_call", ["number_id", "started_at"])
    create_index(op.f("ix_voicemail_call_sip_call_id"), "voicemail_call", ["sip_call_id"])
    create_index(op.f("ix_voicemail_call_started_at"), "voicemail_call", ["started_at"])
    create_table(
        "voicemail_call_step",
        _text("call_sid", 34),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        _text("kind", 16),
        _text("what", 200),
        _text("outcome", 500),
        _time("at"),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["call_sid"], ["voicemail_call.sid"], name=op.f("fk_voicemail_call_step_call_sid"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("call_sid", "position", name=op.f("pk_voicemail_call_step")),
    )


def _make_recordings() -> None:
    create_table(
        "voicemail_recording",
        _text("sid", 34),
        _text("call_sid", 34),
        _text("take_id", 36, nullable=True),
        _text("status", 20),
        _text("source", 20),
        sa.Column("duration", sa.Float(), nullable=True),
        _text("spool_host", 64, nullable=True),
        _text("storage_key", 200, nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        _text("sha256", 64, nullable=True),
        _time("started_at"),
        _time("created_at"),
        _time("deleted_at", nullable=True),
        _time("purged_at", nullable=True),
        sa.ForeignKeyConstraint(["call_sid"], ["voicemail_call.sid"], name=op.f("fk_voicemail_recording_call_sid")),
        sa.UniqueConstraint("take_id", name=op.f("uq_voicemail_recording_take_id")),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_voicemail_recording")),
    )
    create_index("ix_voicemail_recording_call_sid", "voicemail_recording", ["call_sid"])
    create_index(op.f("ix_voicemail_recording_created_at"), "voicemail_recording", ["created_at"])


def _let_recordings_be_delivered() -> None:
    """A delivery may be one of a recording, which has no mailbox."""
    if op.get_bind().dialect.name == "sqlite":
        if not has_column("voicemail_delivery", "recording_sid"):
            _rebuild_deliveries(nullable=True)
    else:
        op.alter_column("voicemail_delivery", "mailbox_id", existing_type=sa.String(length=36), nullable=True)
        add_column("voicemail_delivery", "recording_sid", sa.String(length=34), nullable=True)
    # Before the foreign key: MariaDB would make an index of its own for it.
    create_index(op.f("ix_voicemail_delivery_recording_sid"), "voicemail_delivery", ["recording_sid"])
    _refer_to_recordings()


def _refer_to_recordings() -> None:
    name = op.f("fk_voicemail_delivery_recording_sid")
    there = {key["name"] for key in sa.inspect(op.get_bind()).get_foreign_keys("voicemail_delivery")}
    if name not in there:
        op.create_foreign_key(name, "voicemail_delivery", "voicemail_recording", ["recording_sid"], ["sid"])


def _rebuild_deliveries(*, nullable: bool) -> None:
    """SQLite changes a column by a copy of the table. To drop the old one takes the attempts along: they are kept.

    All of it is one transaction.
    """
    op.execute("CREATE TEMPORARY TABLE kept_attempt AS SELECT * FROM voicemail_attempt")
    with op.batch_alter_table("voicemail_delivery", recreate="always") as batch:
        batch.alter_column("mailbox_id", existing_type=sa.String(length=36), nullable=nullable)
        if nullable:
            batch.add_column(sa.Column("recording_sid", sa.String(length=34), nullable=True))
            batch.create_foreign_key(
                op.f("fk_voicemail_delivery_recording_sid"), "voicemail_recording", ["recording_sid"], ["sid"]
            )
        else:
            batch.drop_constraint(op.f("fk_voicemail_delivery_recording_sid"), type_="foreignkey")
            batch.drop_column("recording_sid")
    op.execute("DELETE FROM voicemail_attempt")
    op.execute("INSERT INTO voicemail_attempt SELECT * FROM kept_attempt")
    op.execute("DROP TABLE kept_attempt")


def _forget_deliveries_of_recordings() -> None:
    op.execute(
        "DELETE FROM voicemail_attempt WHERE delivery_id IN "
        "(SELECT id FROM voicemail_delivery WHERE recording_sid IS NOT NULL)"
    )
    op.execute("DELETE FROM voicemail_delivery WHERE recording_sid IS NOT NULL")
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index(op.f("ix_voicemail_delivery_recording_sid"), "voicemail_delivery")
        _rebuild_deliveries(nullable=False)
        return
    op.drop_constraint(op.f("fk_voicemail_delivery_recording_sid"), "voicemail_delivery", type_="foreignkey")
    op.drop_index(op.f("ix_voicemail_delivery_recording_sid"), "voicemail_delivery")
    op.drop_column("voicemail_delivery", "recording_sid")
    op.alter_column("voicemail_delivery", "mailbox_id", existing_type=sa.String(length=36), nullable=False)


def downgrade() -> None:
    _forget_deliveries_of_recordings()
    for table in ("voicemail_recording", "voicemail_call_step", "voicemail_call", "voicemail_number"):
        op.drop_table(table)
    _make_the_first_tables()


def _make_the_first_tables() -> None:
    """The tables as 0001 made them."""
    create_table(
        "voicemail_call",
        _text("sid", 34),
        _text("parent_sid", 34, nullable=True),
        _text("direction", 20),
        _text("caller", 128),
        _text("called", 128),
        _text("status", 20),
        _time("started_at"),
        _time("answered_at", nullable=True),
        _time("ended_at", nullable=True),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_voicemail_call")),
    )
    create_table(
        "voicemail_number",
        _text("id", 36),
        _text("number", 64),
        _text("voice_url", 2000),
        _text("voice_method", 4),
        _text("fallback_url", 2000),
        _text("status_callback", 2000),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voicemail_number")),
        sa.UniqueConstraint("number", name=op.f("uq_voicemail_number_number")),
    )
    create_table(
        "voicemail_recording",
        _text("sid", 34),
        _text("call_sid", 34),
        _text("status", 20),
        sa.Column("duration", sa.Float(), nullable=True),
        _text("spool_host", 64, nullable=True),
        _text("storage_key", 200, nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        _text("sha256", 64, nullable=True),
        _time("created_at"),
        _time("deleted_at", nullable=True),
        sa.ForeignKeyConstraint(["call_sid"], ["voicemail_call.sid"], name=op.f("fk_voicemail_recording_call_sid")),
        sa.PrimaryKeyConstraint("sid", name=op.f("pk_voicemail_recording")),
    )
