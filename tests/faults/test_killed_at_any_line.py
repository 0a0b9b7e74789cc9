"""Uploads and purges that are killed at one line after the other: nothing is lost, and nothing purged comes back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.config import PROJECT_ROOT
from app.extensions import db
from app.jobs import run
from app.models import Audit, Event, Greeting, Mailbox, Message
from app.services import greetings, mailboxes, messages, outbox, purge, retention, trimmed
from app.storage import message_key, open_store
from tests import killing
from tests.jobs.owed import CONTENT, lapse, make_due, message_of, owe, row, settings_of, tune
from tests.services.sounds import encoded, tone

TRACED = tuple(
    str(PROJECT_ROOT / path)
    for path in (
        "app/database.py",
        "app/delivery/upload.py",
        "app/jobs/run.py",
        "app/services/outbox.py",
        "app/services/purge.py",
        "app/services/retention.py",
        "app/services/spool.py",
        "app/services/trimmed.py",
        "app/storage/cache.py",
        "app/storage/local.py",
    )
)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
STRIDE = int(os.environ.get("TEST_KILL_STRIDE", "23"))
"""Every 23rd line, in less than a minute; each line takes many."""


def killed_at(line: int, act: Callable[[], object]) -> bool:
    """Run act() in a process that is killed before the line-th line of ours; whether it came that far."""
    db.session.remove()
    # A connection of SQLite must not cross a fork.
    db.engine.dispose()
    return killing.killed_at(line, act, TRACED)


def lines() -> range:
    return range(1, 100_000, STRIDE)


def forget(app: Flask) -> None:
    """Empty tables and folders for the next kill."""
    for table in reversed(db.metadata.sorted_tables):
        db.session.execute(table.delete())
    db.session.commit()
    for folder in (settings_of(app).spool_dir, settings_of(app).storage.folder):
        for path in folder.rglob("*"):
            if path.is_file():
                path.unlink()


def try_again(app: Flask, message_id: str) -> None:
    """What the relay does: what a dead worker held is done by another."""
    delivery_id = row(app, message_id).id
    if row(app, message_id).state == "running":
        lapse(app, delivery_id)
        assert outbox.expire_leases() == [delivery_id]
    make_due(app, delivery_id)
    run.deliver(delivery_id)


def audio(message_id: str) -> bytes:
    db.session.rollback()
    heard = b"".join(messages.open_audio(db.session.get_one(Message, message_id)).blocks())
    db.session.rollback()
    return heard


def left_of(app: Flask, message_id: str) -> list[Path]:
    """Files that tell of a message, but for what was being written, which goes by itself."""
    settings = settings_of(app)
    found = [*settings.spool_dir.rglob(f"*{message_id}*"), *settings.storage.folder.rglob(f"*{message_id}*")]
    return [path for path in found if path.parent.name != "parts"]


def told(message_id: str) -> tuple[list[str], list[str]]:
    """Events of a message, and what the audit log says of it."""
    happened = select(Event.event).where(Event.message_id == message_id).order_by(Event.number)
    noted = select(Audit.action).where(Audit.object_id == message_id).order_by(Audit.id)
    found = list(db.session.scalars(happened)), list(db.session.scalars(noted))
    db.session.rollback()
    return found


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    tune(app, lease_seconds=60)
    with app.app_context():
        yield app


@pytest.mark.slow
def test_an_upload(context: Flask) -> None:
    for line in lines():
        message_id = owe(context)
        delivery_id = row(context, message_id).id
        killed = killed_at(line, lambda delivery_id=delivery_id: run.deliver(delivery_id))
        # Whoever wants to hear it hears it, at any moment.
        assert audio(message_id) == CONTENT, line
        try_again(context, message_id)
        message = message_of(context, message_id)
        assert (row(context, message_id).state, message.spool_host) == ("done", None), line
        stored = open_store(settings_of(context)).open(message_key(message.mailbox_id, message_id))
        assert b"".join(stored.blocks()) == CONTENT, line
        # What the kill left in the spool, the reconciler of the voice worker removes.
        if left_of_spool := list(settings_of(context).spool_dir.glob(f"{message_id}*")):
            assert messages.known_ids([message_id]) == {message_id: messages.SpoolFate.STORED}, left_of_spool
        forget(context)
        if not killed:
            break
    assert line > 100


@pytest.mark.slow
def test_an_upload_that_a_purge_follows(context: Flask) -> None:
    for line in lines():
        message_id = owe(context)
        delivery_id = row(context, message_id).id
        killed = killed_at(line, lambda delivery_id=delivery_id: run.deliver(delivery_id))
        purge.purge(message_id)
        try_again(context, message_id)
        assert left_of(context, message_id) == [], line
        assert row(context, message_id).state in ("done", "skipped"), line
        forget(context)
        if not killed:
            break
    assert line > 100


@pytest.mark.slow
@pytest.mark.parametrize("uploaded", [False, True])
def test_a_purge(context: Flask, uploaded: bool) -> None:
    for line in lines():
        message_id = owe(context)
        if uploaded:
            run.deliver(row(context, message_id).id)
        db.session.execute(update(Message).values(deleted_at=LONG_AGO))
        db.session.commit()
        tail = trimmed.path_of(settings_of(context), message_id)
        tail.parent.mkdir(parents=True, exist_ok=True)
        tail.write_bytes(b"RIFF")
        killed = killed_at(line, purge.sweep_retention)
        purge.sweep_retention()
        tombstone = message_of(context, message_id)
        assert tombstone.purged_at is not None
        assert tombstone.caller_number == "", line
        assert (tombstone.storage_key, tombstone.spool_host) == (None, None), line
        assert left_of(context, message_id) == [], line
        assert told(message_id) == (["message.purged"], ["message.purge"]), line
        forget(context)
        if not killed:
            break
    assert line > 30


@pytest.mark.slow
def test_what_staff_end(context: Flask) -> None:
    """The trash of a mailbox is emptied, and one message on its own: whoever dies, all or nothing of each is gone."""
    for line in lines():
        message_id = owe(context)
        run.deliver(row(context, message_id).id)
        db.session.execute(update(Mailbox).values(live_extension="1001"))
        db.session.execute(update(Message).values(deleted_at=LONG_AGO))
        db.session.commit()
        killed = killed_at(line, lambda: purge.empty_trash("1001", until=datetime.now(UTC), actor="anna"))
        if message_of(context, message_id).purged_at is None:
            assert audio(message_id) == CONTENT, line
            assert told(message_id) == ([], []), line
            killed_at(line, lambda message_id=message_id: purge.delete_for_good(message_id, actor="anna"))
        purge.sweep_retention()
        assert left_of(context, message_id) == [], line
        assert told(message_id) == (["message.purged"], ["message.purge"]), line
        forget(context)
        if not killed:
            break
    assert line > 30


@pytest.mark.slow
def test_a_message_that_is_too_old(context: Flask) -> None:
    settings = settings_of(context)
    context.extensions["settings"] = replace(settings, retention=replace(settings.retention, new_days=5))
    for line in lines():
        message_id = owe(context)
        db.session.execute(update(Mailbox).values(live_extension="1001", mwi_dirty=False))
        db.session.execute(update(Message).values(created_at=LONG_AGO))
        db.session.commit()
        killed = killed_at(line, retention.to_trash)
        # In the trash with all that tells of it, or not at all.
        moved = message_of(context, message_id).deleted_at is not None
        assert told(message_id) == ((["message.deleted"], ["message.delete"]) if moved else ([], [])), line
        assert db.session.scalar(select(Mailbox.mwi_dirty)) is moved, line
        db.session.rollback()
        assert retention.to_trash() == (0 if moved else 1)
        assert told(message_id) == (["message.deleted"], ["message.delete"]), line
        assert audio(message_id) == CONTENT, line
        forget(context)
        if not killed:
            break
    assert line > 30


@pytest.mark.slow
def test_greetings_of_a_deleted_mailbox(context: Flask) -> None:
    for line in lines():
        mailboxes.create("1001", pin="4711", actor="t")
        key = greetings.set_greeting("1001", encoded(tone()), actor="t").storage_key
        mailboxes.delete("1001", confirm="1001", actor="t")
        db.session.execute(update(Mailbox).values(deleted_at=LONG_AGO))
        db.session.commit()
        killed = killed_at(line, purge.sweep_retention)
        # Its row goes last: no object is forgotten.
        gone = db.session.scalar(select(Greeting.id)) is None
        assert not gone or open_store(settings_of(context)).stat(key) is None, line
        db.session.rollback()
        purge.sweep_retention()
        assert db.session.scalar(select(Greeting.id)) is None, line
        db.session.rollback()
        assert list(settings_of(context).storage.folder.rglob(f"*{Path(key).name}*")) == [], line
        forget(context)
        if not killed:
            break
    assert line > 30
