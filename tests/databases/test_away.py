"""A database that is away: an error within seconds, never a thread that hangs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from app import create_app
from app.extensions import db
from app.services import mailboxes
from tests.servers import KINDS, migrated_database
from tests.support import free_port, make_settings

PATIENCE_SECONDS = 30
SERVERS = {"postgresql": "postgresql://postgres", "mariadb": "mysql://root"}


def look_up(url: str, folder: Path) -> object:
    """What a first query says, from a thread of its own that may not hang."""
    application = create_app(make_settings(folder, DATABASE_URL=url, SECRET_KEY="a key of the test"))

    def run() -> object:
        with application.app_context():
            try:
                return mailboxes.page().total
            except OperationalError as error:
                return error
            finally:
                db.session.remove()
                db.engine.dispose()

    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(run).result(PATIENCE_SECONDS)
    finally:
        pool.shutdown(wait=False)


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("kind", SERVERS)
def test_nobody_listens(kind: str, tmp_path: Path) -> None:
    assert isinstance(look_up(f"{SERVERS[kind]}@127.0.0.1:{free_port()}/voicemail", tmp_path), OperationalError)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_says_nothing(kind: str, tmp_path: Path, silent: int) -> None:
    assert isinstance(look_up(f"{SERVERS[kind]}@127.0.0.1:{silent}/voicemail", tmp_path), OperationalError)


def test_a_file_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "voicemail.db").mkdir()
    assert isinstance(look_up(f"sqlite:///{tmp_path / 'voicemail.db'}", tmp_path), OperationalError)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "sqlite"])
def test_connections_that_broke_are_replaced(kind: str, tmp_path: Path) -> None:
    kill = {
        "postgresql": "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        "mariadb": "KILL CONNECTION :own",
    }[kind]
    with migrated_database(kind, tmp_path) as url:
        application = create_app(make_settings(tmp_path, DATABASE_URL=url, SECRET_KEY="a key of the test"))
        with application.app_context():
            assert mailboxes.page().total == 0
            break_connections(kind, kill)
            assert mailboxes.page().total == 0
            db.session.remove()
            db.engine.dispose()


def break_connections(kind: str, kill: str) -> None:
    """End the one pooled connection behind its pool's back."""
    import sqlalchemy as sa

    if kind == "mariadb":
        own = db.session.execute(sa.text("SELECT CONNECTION_ID()")).scalar()
        db.session.rollback()
        kill = kill.replace(":own", str(own))
    else:
        db.session.rollback()
    other = sa.create_engine(db.engine.url, poolclass=sa.NullPool)
    with other.connect() as connection:
        connection.execute(sa.text(kill))
        connection.commit()
