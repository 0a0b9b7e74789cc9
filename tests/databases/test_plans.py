"""Searches of a PostgreSQL that has no statistics read about as many rows as they must, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Executable, exists, select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement

from app import create_app
from app.config import Settings
from app.extensions import db
from app.services import outbox, outbox_clock, outbox_statements, retention
from tests.servers import migrated_database
from tests.support import make_settings

BOXES, MESSAGES = 20, 6000
DUE = 2 * MESSAGES
TABLES = ("voicemail_message", "voicemail_delivery", "voicemail_event", "voicemail_box")
FILL = f"""
INSERT INTO voicemail_box (id, extension, live_extension, name, email, language, timezone, pin_hash, mwi_dirty,
 mwi_version, created_at, updated_at)
 SELECT 'box' || n, n::text, n::text, '', '', 'en', 'UTC', '-', false, 0, now(), now()
 FROM generate_series(1, {BOXES}) AS n;
INSERT INTO voicemail_message (id, mailbox_id, caller_number, caller_name, call_id, received_at, duration, state,
 urgent, size, sha256, content_type, created_at) SELECT 'message' || n, 'box' || (n % {BOXES} + 1), '', '', '',
 now() - interval '90 days', 1, 'saved', false, 1, '', 'audio/wav', now() - interval '90 days'
 FROM generate_series(1, {MESSAGES}) AS n;
INSERT INTO voicemail_event (id, event, mailbox_id, message_id, data, created_at)
 SELECT e || n, e, 'box' || (n % {BOXES} + 1), 'message' || n, '{{}}', now() - interval '1 hour'
 FROM generate_series(1, {MESSAGES}) AS n, unnest(ARRAY['message.created', 'message.read', 'message.unread']) AS e;
INSERT INTO voicemail_delivery (id, event_id, event, mailbox_id, message_id, kind, target, idempotency_key, position,
 state, attempts, fencing, created_at, next_try_at, last_error)
 SELECT kind || n, 'event' || n, 'message.created', 'box' || (n % {BOXES} + 1), 'message' || n, kind, 'x', kind || n,
 position, CASE kind WHEN 'upload' THEN 'done' ELSE 'pending' END, 1, 1, now() - interval '1 day',
 now() - interval '1 hour', '' FROM generate_series(1, {MESSAGES}) AS n,
 (VALUES ('upload', 1), ('email', 2), ('webhook', 3)) AS kinds (kind, position);
"""


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """An application whose database holds what an outage left behind, and knows nothing of its tables."""
    folder: Path = tmp_path_factory.mktemp("plans")
    with migrated_database("postgresql", folder) as url:
        app = create_app(make_settings(folder, DATABASE_URL=url, SECRET_KEY="a key of the test"), portal=False)
        with app.app_context():
            for table in TABLES:
                db.session.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
            for statement in FILL.split(";"):
                if statement.strip():
                    db.session.execute(text(statement))
            db.session.commit()
            yield app
            db.session.remove()
            db.engine.dispose()


class Explained(Executable, ClauseElement):
    """A statement whose result is its plan, with what happened when it ran."""

    inherit_cache = False

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement


@compiles(Explained)
def _explained(element: Explained, compiler: Any, **kw: Any) -> str:
    return f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {compiler.process(element.statement, **kw)}"


def rows_read(statement: ClauseElement, values: dict[str, object] | None = None) -> int:
    """Rows that a statement looks at, of tables and in indexes, those that each step hands to the next one included."""
    plan = db.session.execute(Explained(statement), values or {}).scalar_one()
    db.session.rollback()
    return _rows_of(plan[0]["Plan"])


def _rows_of(node: dict[str, Any]) -> int:
    seen = sum(node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"))
    return int(seen * node["Actual Loops"]) + sum(_rows_of(child) for child in node.get("Plans", ()))


def test_what_is_due(outage: Flask) -> None:
    """Each row of the backlog, and the handful of its event."""
    assert rows_read(outbox.search(outbox._now(), 200)) < 20 * DUE


def test_what_a_wrong_clock_made_wait(outage: Flask) -> None:
    """Of a backlog that is due nothing is read."""
    now = outbox._now()
    for wrong in (outbox_clock.wrongly_waiting(now), outbox_clock.wrongly_held(now, timedelta(seconds=60))):
        assert rows_read(select(exists().where(wrong))) < 10


def test_whether_one_may_start(outage: Flask) -> None:
    assert rows_read(outbox_statements.CLAIMABLE, {"a_id": "webhook77"}) < 30


def test_what_follows(outage: Flask) -> None:
    now = outbox._now()
    values = {"a_event_id": "event77", "a_position": 1, "a_now": now}
    values |= {"a_head_start": now - timedelta(seconds=2), "a_overdue": now - timedelta(seconds=10)}
    assert rows_read(outbox_statements.FOLLOWING, values) < 50


def test_what_is_too_old(outage: Flask) -> None:
    """All are old, all were marked an hour ago: each message needs a look at its own events, and no others."""
    settings: Settings = outage.extensions["settings"]
    outage.extensions["settings"] = replace(settings, retention=replace(settings.retention, new_days=30, saved_days=30))
    assert rows_read(retention.search(30)) < 20 * MESSAGES
