"""A database that is away: an error within seconds, never a thread that hangs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from app import create_app, database
from app.extensions import db
from app.services import mailboxes
from tests.servers import KINDS, migrated_database
from tests.support import free_port, make_settings, until

PATIENCE_SECONDS = 30
OWN = {"postgresql": "SELECT pg_backend_pid()", "mariadb": "SELECT CONNECTION_ID()"}
KILL = {"postgresql": "SELECT pg_terminate_backend({})", "mariadb": "KILL CONNECTION {}"}
THERE = {
    "postgresql": "pg_stat_activity WHERE pid = {}",
    "mariadb": "information_schema.processlist WHERE id = {}",
}
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


# Known by what its socket says, and, after a pause, by asking.
@pytest.mark.parametrize("fresh", [600.0, 0.0])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "sqlite"])
def test_connections_that_broke_are_replaced(
    kind: str, fresh: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "FRESH_SECONDS", fresh)
    with migrated_database(kind, tmp_path) as url:
        application = create_app(make_settings(tmp_path, DATABASE_URL=url, SECRET_KEY="a key of the test"))
        with application.app_context():
            assert mailboxes.page().total == 0
            break_connections(kind)
            assert mailboxes.page().total == 0
            db.session.remove()
            db.engine.dispose()


def break_connections(kind: str) -> None:
    """End the one pooled connection behind its pool's back."""
    import sqlalchemy as sa

    own = db.session.execute(sa.text(OWN[kind])).scalar()
    db.session.rollback()
    other = sa.create_engine(db.engine.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        connection.execute(sa.text(KILL[kind].format(own)))
        # The order to end is obeyed a moment later.
        there = sa.text(f"SELECT count(*) FROM {THERE[kind].format(own)}")
        until(lambda: connection.execute(there).scalar() == 0, PATIENCE_SECONDS, "the connection is over")
