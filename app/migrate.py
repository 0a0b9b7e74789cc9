"""Migrations at a start: forward only, once at a time, whatever starts first."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from app.config import PROJECT_ROOT, Settings
from app.database import engine_options, set_up, url_of

log = logging.getLogger(__name__)
SCRIPTS = PROJECT_ROOT / "migrations"
LOCK_NUMBER = 0x766D6D67
# MariaDB's locks are those of the whole server, which may have several such databases.
LOCK_NAME = "CONCAT('voicemail_migrations_', MD5(DATABASE()))"
LOCK_SECONDS = 120
POLL_SECONDS = 0.05
# A change of a large table takes its time.
CHANGE_SECONDS = 3600
_BUSY = "another process has been changing the tables for {} s"


class MigrationError(RuntimeError):
    """The tables cannot be brought up to date; str() is one line for a terminal."""


def upgrade(settings: Settings) -> bool:
    """Bring the tables to the newest revision; True where something changed.

    Under a lock, so that processes that start together do it once. MigrationError where another holds it for too
    long; SQLAlchemyError where the database is away.
    """
    with alone(settings) as connection:
        before = _revision(connection)
        if before == _newest():
            return False
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        log.info("tables brought from revision %s to %s", before or "none", _newest())
        return True


@contextmanager
def alone(settings: Settings) -> Iterator[Connection]:
    """A connection that may change the tables while nobody else does; errors as of upgrade()."""
    engine = _engine(settings)
    try:
        with engine.connect() as connection, _lock(connection, settings):
            yield connection
    finally:
        engine.dispose()


def is_current(connection: Connection) -> bool:
    """Whether the tables are those of this version."""
    return _revision(connection) == _newest()


def _engine(settings: Settings) -> Engine:
    url = url_of(settings)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, **engine_options(url, CHANGE_SECONDS))
    set_up(engine)
    return engine


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def _newest() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@contextmanager
def _lock(connection: Connection, settings: Settings) -> Iterator[None]:
    """Hold the lock of the kind that this database has; the connection is left outside of a transaction."""
    kind = connection.dialect.name
    if kind == "sqlite":
        with _file_lock(settings.instance / "migrations.lock"):
            yield
        return
    take, give = {
        "postgresql": (f"SELECT pg_advisory_lock({LOCK_NUMBER})", f"SELECT pg_advisory_unlock({LOCK_NUMBER})"),
    }.get(kind, (f"SELECT GET_LOCK({LOCK_NAME}, {LOCK_SECONDS})", f"SELECT RELEASE_LOCK({LOCK_NAME})"))
    if kind == "postgresql":
        connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS}s'"))
    try:
        taken = connection.execute(text(take)).scalar() != 0
    except OperationalError as error:
        # PostgreSQL: lock_not_available.
        if getattr(error.orig, "sqlstate", None) != "55P03":
            raise
        taken = False
    if not taken:
        raise MigrationError(_BUSY.format(LOCK_SECONDS))
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(text(give))
        connection.commit()


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + LOCK_SECONDS
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise MigrationError(_BUSY.format(LOCK_SECONDS)) from None
                time.sleep(POLL_SECONDS)
        yield
