"""The databases that tests run on: named by the environment, else those on localhost, else private ones."""

from __future__ import annotations

import atexit
import functools
import getpass
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa

from app.database import url_of
from app.migrate import upgrade
from tests.support import free_port, make_settings, missing, until

KINDS = ("sqlite", "postgresql", "mariadb")
LOCAL = {
    "postgresql": (
        "postgresql://postgres@127.0.0.1:5432/postgres",
        "postgresql://root@127.0.0.1:5432/postgres",
        "postgresql://postgres:postgres@127.0.0.1:5432/postgres",
    ),
    "mariadb": ("mysql://root@127.0.0.1:3306/mysql", "mysql://root:root@127.0.0.1:3306/mysql"),
}
VARIABLES = {"postgresql": "TEST_POSTGRES_URL", "mariadb": "TEST_MARIADB_URL"}


@contextmanager
def fresh_database(kind: str) -> Iterator[str]:
    """The URL of an empty database of our own, dropped at the end; skips the test where there is no such server."""
    server = server_url(kind)
    name = f"voicemail_test_{uuid.uuid4().hex[:12]}"
    engine = _engine(server)
    with engine.connect() as connection:
        charset = " CHARACTER SET utf8mb4" if kind == "mariadb" else ""
        connection.execute(sa.text(f"CREATE DATABASE {name}{charset}"))
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            force = " WITH (FORCE)" if kind == "postgresql" else ""
            connection.execute(sa.text(f"DROP DATABASE {name}{force}"))
        engine.dispose()


@contextmanager
def migrated_database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a database of our own with all tables; SQLite lies in `folder`."""
    if kind == "sqlite":
        url = f"sqlite:///{folder / 'test.db'}"
        upgrade(make_settings(folder, DATABASE_URL=url))
        yield url
        return
    with fresh_database(kind) as url:
        upgrade(make_settings(folder, DATABASE_URL=url))
        yield url


@functools.cache
def template() -> Path:
    """An SQLite database with all tables and no rows, made once in a process: tests copy it and never open it."""
    with migrated_database("sqlite", _folder()) as url:
        return Path(url.removeprefix("sqlite:///"))


@functools.cache
def server_url(kind: str) -> str:
    """An administrator's URL of a server of this kind; skips, or fails in CI, where there is none."""
    if named := os.environ.get(VARIABLES[kind]):
        return named
    for url in LOCAL[kind]:
        if answers(url):
            return url
    try:
        return {"postgresql": _private_postgresql, "mariadb": _private_mariadb}[kind]()
    except (OSError, subprocess.CalledProcessError, AssertionError) as error:
        missing(f"no {kind}: {VARIABLES[kind]} names none, none answers on localhost, none can be started ({error})")


def _engine(url: str) -> sa.Engine:
    settings = make_settings(Path(tempfile.gettempdir()), DATABASE_URL=url)
    return sa.create_engine(url_of(settings), isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})


def answers(url: str) -> bool:
    """Whether a database server takes connections."""
    engine = _engine(url)
    try:
        with engine.connect():
            return True
    except sa.exc.SQLAlchemyError:
        return False
    finally:
        engine.dispose()


def _private_postgresql() -> str:
    folder, port = _folder(), free_port()
    _serve([*postgresql_command(folder, port), "-c", "fsync=off"], folder)
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    until(lambda: answers(url), 30, "PostgreSQL to answer")
    return url


def postgresql_command(folder: Path, port: int) -> list[str]:
    """The command that serves a new, empty cluster in this folder; OSError where PostgreSQL is not installed."""
    folders = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    initdb = shutil.which("initdb", path=os.pathsep.join([*folders[::-1], os.environ.get("PATH", "")]))
    if initdb is None:
        raise OSError("initdb is not installed")
    # PostgreSQL refuses to run as root.
    user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "nobody", "nogroup")
    data = folder / "data"
    command = [*user, initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run(command, check=True, capture_output=True)
    server = Path(initdb).with_name("postgres")
    return [*user, str(server), "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]


def _private_mariadb() -> str:
    server = shutil.which("mariadbd", path="/usr/sbin:" + os.environ.get("PATH", ""))
    install = shutil.which("mariadb-install-db")
    if server is None or install is None:
        raise OSError("MariaDB is not installed")
    folder, port = _folder(), free_port()
    user = [f"--user={getpass.getuser()}"]
    data = f"--datadir={folder / 'data'}"
    subprocess.run([install, data, *user, "--auth-root-authentication-method=normal"], check=True, capture_output=True)
    options = ["--bind-address=127.0.0.1", f"--port={port}", f"--socket={folder / 'socket'}", *user]
    _serve([server, "--no-defaults", data, *options], folder)
    url = f"mysql://root@127.0.0.1:{port}/mysql"
    until(lambda: answers(url), 30, "MariaDB to answer")
    return url


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="voicemail-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _serve(command: list[str], folder: Path) -> None:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop() -> None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()

    atexit.register(stop)
