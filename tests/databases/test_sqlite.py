"""SQLite as the product opens it: many readers beside one writer, and nothing lost by a power cut."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app import create_app
from app.database import writing
from app.extensions import db
from app.migrate import upgrade
from app.models import Mailbox, Message
from app.models.base import new_id, utc_now
from app.services import mailboxes, messages
from tests.databases.processes import outputs, start
from tests.services.together import together
from tests.support import make_settings

WRITES = 15
PROGRAM = f"""
import sys, uuid
from datetime import UTC, datetime
from app import create_app
from app.services import mailboxes, messages
app = create_app()
print("ready", flush=True)
sys.stdin.readline()
with app.app_context():
    box = mailboxes.get("1001").id
    for number in range({WRITES}):
        now, sha256 = datetime.now(UTC), "0" * 64
        take = messages.Take(str(uuid.uuid4()), box, "1", "", "", now, 1.0, 1, sha256, False, False, "host")
        saved = messages.save_take(take)
        # It reads, then writes: a transaction that does both must not find that another one wrote meanwhile.
        messages.listing("1001")
        messages.mark(saved.id, "saved", actor="test")
print("done")
"""


def test_pragmas(app: Flask) -> None:
    with app.app_context():
        found = {
            name: db.session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 15000}


def test_every_connection_has_them(app: Flask) -> None:
    def synchronous() -> object:
        return db.session.execute(text("PRAGMA synchronous")).scalar()

    with app.app_context():
        assert together(app, *[synchronous] * 4) == [2] * 4


def test_foreign_keys_are_kept(app: Flask) -> None:
    stray = Message(id=new_id(), mailbox_id=new_id(), received_at=utc_now(), duration=1.0, size=1, sha256="0" * 64)
    with app.app_context(), pytest.raises(IntegrityError), writing():
        db.session.add(stray)


def test_four_processes_write_to_one_file(app: Flask, mailbox: str) -> None:
    settings = app.extensions["settings"]
    assert outputs([start(PROGRAM, settings) for _ in range(4)]) == ["done"] * 4
    with app.app_context():
        assert messages.counts(mailbox)["saved"] == 4 * WRITES
        assert db.session.execute(text("PRAGMA integrity_check")).scalar() == "ok"


def test_a_reader_does_not_wait_for_a_writer(app: Flask, mailbox: str) -> None:
    def count() -> int:
        return mailboxes.page().total

    with app.app_context(), writing():
        mailboxes.get(mailbox).name = "changed"
        db.session.flush()
        session = db.session()
        connection = session.connection()
        # Another thread reads while this one is in the middle of its transaction.
        assert read_elsewhere(app, count) == 1
        assert connection.in_transaction()


def read_elsewhere(app: Flask, read: Callable[[], object]) -> object:
    def run() -> object:
        with app.app_context():
            return read()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(5)


def change_and_fail(extension: str) -> None:
    with writing():
        mailboxes.get(extension).name = "changed"
        db.session.flush()
        raise ZeroDivisionError


def test_what_failed_is_not_half_written(app: Flask, mailbox: str) -> None:
    with app.app_context():
        with pytest.raises(ZeroDivisionError):
            change_and_fail(mailbox)
        assert mailboxes.get(mailbox).name == "Anna Example"
        with writing():
            mailboxes.get(mailbox).name = "changed"
        assert mailboxes.get(mailbox).name == "changed"


def test_errors_tell_no_values(app: Flask, mailbox: str) -> None:
    with app.app_context():
        secret = mailboxes.get(mailbox).pin_hash
        twice = Mailbox(extension=mailbox, live_extension=mailbox, name="Anna Example", pin_hash=secret)
        with pytest.raises(IntegrityError) as found, writing():
            db.session.add(twice)
    told = "".join(traceback.format_exception(found.value))
    assert "live_extension" in told
    assert secret not in told
    assert "Anna Example" not in told


def test_a_relative_path_lies_in_the_instance_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    settings = make_settings(tmp_path, DATABASE_URL="sqlite:///data/mine.db", SECRET_KEY="a key of the test")
    assert upgrade(settings)
    with create_app(settings).app_context():
        mailboxes.create("1001", pin="4711", actor="test")
        db.session.remove()
        db.engine.dispose()
    assert (tmp_path / "data" / "mine.db").is_file()
