"""Migrations: the tables are those of the models, and a start makes them once, on every kind of database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from app import create_app, migrate, migration_steps
from app.config import PROJECT_ROOT, Settings
from app.extensions import db
from app.models import Alias, Base
from app.services import mailboxes
from tests.databases.processes import environment, outputs, start
from tests.servers import fresh_database
from tests.support import free_port, make_settings, until

PROGRAM = """
import sys
from app.config import load_settings
from app.migrate import upgrade
settings = load_settings()
print("ready", flush=True)
sys.stdin.readline()
print(upgrade(settings))
"""


def alembic(settings: Settings, act: str, *arguments: str) -> None:
    """An Alembic command on the database of these settings."""
    engine = migrate._engine(settings)
    try:
        with engine.connect() as connection:
            config = migrate._config()
            config.attributes["connection"] = connection
            getattr(command, act)(config, *arguments)
            connection.commit()
    finally:
        engine.dispose()


def tables(settings: Settings) -> set[str]:
    engine = migrate._engine(settings)
    try:
        return set(sa.inspect(engine).get_table_names()) - {"alembic_version"}
    finally:
        engine.dispose()


def current(settings: Settings) -> bool:
    engine = migrate._engine(settings)
    try:
        with engine.connect() as connection:
            return migrate.is_current(connection)
    finally:
        engine.dispose()


def test_the_tables_are_those_of_the_models(empty: Settings) -> None:
    assert not current(empty)
    assert migrate.upgrade(empty)
    assert current(empty)
    assert tables(empty) == set(Base.metadata.tables)
    # `alembic check`: raises where a model and its table differ.
    alembic(empty, "check")


def test_a_second_upgrade_changes_nothing(empty: Settings) -> None:
    assert migrate.upgrade(empty)
    with create_app(empty).app_context():
        mailboxes.create("1001", pin="4711", name="Änne 😀", actor="test")
        assert not migrate.upgrade(empty)
        assert mailboxes.get("1001").name == "Änne 😀"
        db.session.remove()
        db.engine.dispose()


def test_down_and_up_again(empty: Settings) -> None:
    migrate.upgrade(empty)
    alembic(empty, "downgrade", "base")
    assert tables(empty) == set()
    assert migrate.upgrade(empty)
    alembic(empty, "check")


def test_what_was_there_before_owners_called_stays(empty: Settings) -> None:
    alembic(empty, "upgrade", "0001")
    engine = migrate._engine(empty)
    box = "INSERT INTO voicemail_box (id, extension, live_extension, name, email, language, timezone, pin_hash,"
    box += " mwi_dirty, mwi_version, created_at, updated_at) VALUES"
    with engine.begin() as connection:
        for number, live in (("1001", "'1001'"), ("1002", "NULL")):
            values = f"('{number}', '{number}', {live}, 'Anna', '', 'en', 'UTC', 'hash', false, 7"
            connection.execute(sa.text(f"{box} {values}, '2026-11-01 10:00:00', '2026-11-01 10:00:00')"))
    engine.dispose()
    assert migrate.upgrade(empty)
    with create_app(empty).app_context():
        found = mailboxes.get("1001")
        assert (found.name, found.mwi_version, found.phone_locks, found.operator) == ("Anna", 7, 0, None)
        assert (found.announcement_only, found.trusts_own_phone, found.review) == (False, False, None)
        # An extension that lives has its place among the numbers, one that does not is free.
        assert db.session.scalars(sa.select(Alias.number)).all() == ["1001"]
        db.session.remove()
        db.engine.dispose()
    alembic(empty, "downgrade", "0001")
    alembic(empty, "upgrade", "head")
    alembic(empty, "check")


def test_deliveries_and_their_attempts_stay_when_recordings_join_them(empty: Settings) -> None:
    """SQLite copies the table for it, and to drop the old one takes along what refers to it."""
    alembic(empty, "upgrade", "0005")
    now = "'2026-11-01 10:00:00'"
    box = "INSERT INTO voicemail_box (id, extension, live_extension, name, email, language, timezone, pin_hash,"
    box += " mwi_dirty, mwi_version, created_at, updated_at) VALUES"
    box += f" ('box', '1001', '1001', 'Anna', '', 'en', 'UTC', 'hash', false, 7, {now}, {now})"
    delivery = (
        "INSERT INTO voicemail_delivery (id, event_id, event, mailbox_id, kind, target, idempotency_key, position,"
    )
    delivery += " state, attempts, fencing, created_at, next_try_at, last_error) VALUES"
    delivery += (
        f" ('one', 'event', 'message.created', 'box', 'email', 'a', 'key', 2, 'failed', 1, 1, {now}, {now}, 'no')"
    )
    attempt = "INSERT INTO voicemail_attempt (delivery_id, attempt, ended_at, state, error) VALUES"
    attempt += f" ('one', 1, {now}, 'failed', 'no')"
    engine = migrate._engine(empty)
    with engine.begin() as connection:
        for statement in (box, delivery, attempt):
            connection.execute(sa.text(statement))
    engine.dispose()
    assert migrate.upgrade(empty)
    alembic(empty, "check")
    for command_of in (None, ("downgrade", "0005"), ("upgrade", "head")):
        if command_of:
            alembic(empty, *command_of)
        engine = migrate._engine(empty)
        with engine.connect() as connection:
            kept = connection.execute(sa.text("SELECT id, mailbox_id, last_error FROM voicemail_delivery")).all()
            tried = connection.execute(sa.text("SELECT delivery_id, error FROM voicemail_attempt")).all()
        engine.dispose()
        assert (kept, tried) == ([("one", "box", "no")], [("one", "no")])
    alembic(empty, "check")


class Killed(BaseException):
    """The process was killed."""


def test_a_kill_between_two_changes_of_a_table_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MariaDB commits each change by itself. Each start is killed at its third change: one and two of it are new."""
    changes: list[str] = []

    def killed_at_the_third(name: str) -> Callable[..., object]:
        real = getattr(migration_steps.op, name)

        def change(*arguments: Any, **options: Any) -> object:
            changes.append(name)
            if len(changes) == 3:
                raise Killed
            return real(*arguments, **options)

        return change

    with fresh_database("mariadb") as url:
        settings = make_settings(tmp_path, DATABASE_URL=url)
        for name in ("create_table", "create_index", "add_column", "alter_column"):
            monkeypatch.setattr(migration_steps.op, name, killed_at_the_third(name))
        kills = 0
        while True:
            changes.clear()
            try:
                migrate.upgrade(settings)
                break
            except Killed:
                kills += 1
        assert kills > 20
        monkeypatch.undo()
        assert tables(settings) == set(Base.metadata.tables)
        alembic(settings, "check")


def test_two_that_start_at_once_do_it_once(empty: Settings) -> None:
    said = outputs([start(PROGRAM, empty) for _ in range(2)])
    assert sorted(said) == ["False", "True"]
    assert tables(empty) == set(Base.metadata.tables)


def test_whoever_waits_too_long_for_the_lock_says_so(empty: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 1)
    engine = migrate._engine(empty)
    with engine.connect() as connection, migrate._lock(connection, empty):
        with pytest.raises(migrate.MigrationError, match="another process has been changing the tables for 1 s"):
            migrate.upgrade(empty)
    engine.dispose()
    assert migrate.upgrade(empty)


def flask_db(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`flask --app wsgi db` as somebody types it."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", *arguments]
    return subprocess.run(
        command, env=environment(settings), cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_of_flask(empty: Settings) -> None:
    for arguments in (["upgrade"], ["check"], ["upgrade"]):
        done = flask_db(empty, *arguments)
        assert done.returncode == 0, done.stderr
    assert current(empty)
    assert tables(empty) == set(Base.metadata.tables)


def test_the_command_of_flask_takes_its_turn(empty: Settings) -> None:
    engine = migrate._engine(empty)
    command = "import sys; from flask.cli import main; print('ready', flush=True); sys.stdin.readline(); "
    program = command + "sys.argv = ['flask', '--app', 'wsgi', 'db', 'upgrade']; main()"
    with engine.connect() as connection, migrate._lock(connection, empty):
        process = start(program, empty)
        try:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            until(lambda: waits(empty, connection, process.pid), 30, "the command to wait for the lock")
            assert not tables(empty)
        except BaseException:
            process.kill()
            process.communicate()
            raise
    assert process.communicate(timeout=60) is not None
    engine.dispose()
    assert process.returncode == 0
    assert current(empty)


def waits(settings: Settings, connection: sa.Connection, pid: int) -> bool:
    """Whether another connection, or process, waits for the lock of the migrations."""
    kind = connection.dialect.name
    if kind == "sqlite":
        return any(str(settings.instance / "migrations.lock") == name for name in open_files(pid))
    asked = {
        "postgresql": "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
        "WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted",
    }.get(kind, "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND state = 'User lock'")
    return bool(connection.execute(sa.text(asked)).scalar())


def open_files(pid: int) -> list[str]:
    """Paths of the files that a process has open."""
    names = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            names.append(str(entry.readlink()))
    return names


def test_the_command_says_in_one_line_that_the_database_is_away(tmp_path: Path) -> None:
    away = make_settings(tmp_path, DATABASE_URL=f"postgresql://user:hidden@127.0.0.1:{free_port()}/voicemail")
    done = flask_db(away, "upgrade")
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()[-1]
    assert "the database: " in said
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_lock_is_that_of_one_database(tmp_path: Path, empty: Settings) -> None:
    engine = migrate._engine(empty)
    kind = "sqlite" if engine.dialect.name == "sqlite" else "mariadb" if "mysql" in empty.database_url else "postgresql"
    with ExitStack() as stack:
        other = make_settings(tmp_path / "other")
        if kind != "sqlite":
            other = make_settings(tmp_path / "other", DATABASE_URL=stack.enter_context(fresh_database(kind)))
        connection = stack.enter_context(engine.connect())
        with migrate._lock(connection, empty):
            assert migrate.upgrade(other)
    engine.dispose()


def test_every_character_has_room_whatever_the_database_was_made_with(empty: Settings) -> None:
    engine = migrate._engine(empty)
    if engine.dialect.name in ("mysql", "mariadb"):
        with engine.connect() as connection:
            name = engine.url.database
            connection.execute(sa.text(f"ALTER DATABASE {name} CHARACTER SET latin1 COLLATE latin1_swedish_ci"))
    engine.dispose()
    migrate.upgrade(empty)
    with create_app(empty).app_context():
        for extension, name in (("1", "張偉 😀"), ("2", "anna"), ("3", "Ãnna")):
            mailboxes.create(extension, pin="4711", name=name, actor="test")
        db.session.expire_all()
        assert mailboxes.get("1").name == "張偉 😀"
        assert [row.mailbox.extension for row in mailboxes.page("ANNA").items] == ["2"]
        db.session.remove()
        db.engine.dispose()
