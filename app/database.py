"""How each kind of database is opened: SQLite, PostgreSQL, MariaDB and MySQL behave alike above this file."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import URL, Engine, event, make_url
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from app.config import Settings, SettingsError
from app.extensions import db

CONNECT_SECONDS = 3
BUSY_SECONDS = 15
# A server that took the connection and then says nothing, or a host that is gone, holds nobody for longer.
ANSWER_SECONDS = 10
RECYCLE_SECONDS = 1800
# A connection that was used so recently is taken to be there, unless its socket says otherwise.
FRESH_SECONDS = 1.0
_RESTS = "rests since"
_AFTERWARDS = "afterwards"
_MARIADB_SESSION = (
    "SET SESSION time_zone='+00:00', "
    "sql_mode='STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO'"
)


def url_of(settings: Settings) -> URL:
    """The database's URL with a driver that is installed; ArgumentError where it is none.

    A relative path of an SQLite file is one within the instance folder, like all paths of the settings.
    """
    try:
        url = make_url(settings.database_url)
    except ValueError:
        raise ArgumentError("the port is not a number") from None
    if url.drivername in ("mysql", "mariadb"):
        url = url.set(drivername=f"{url.drivername}+pymysql")
    if url.drivername == "postgres":
        url = url.set(drivername="postgresql")
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":memory:", "file:")):
        url = url.set(database=str(settings.instance / url.database))
    if url.get_backend_name() in ("mysql", "mariadb"):
        url = url.update_query_dict({"charset": "utf8mb4"})
    return url


def engine_options(url: URL, answer_seconds: int = ANSWER_SECONDS) -> dict[str, Any]:
    """Options of create_engine(): a database that is away is noticed within seconds.

    answer_seconds: longest silence of a server in the middle of a statement (MySQL and MariaDB).
    """
    backend = url.get_backend_name()
    # Errors go into logs, and the values of a statement are hashes of PINs, callers and tokens.
    hidden: dict[str, Any] = {"hide_parameters": True}
    if backend == "sqlite":
        return hidden | {"connect_args": {"timeout": BUSY_SECONDS}}
    connect: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
    if backend in ("mysql", "mariadb"):
        connect |= {"init_command": _MARIADB_SESSION, "read_timeout": answer_seconds, "write_timeout": answer_seconds}
    else:
        connect |= {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
        connect["tcp_user_timeout"] = ANSWER_SECONDS * 1000
    return hidden | {
        "connect_args": connect,
        "isolation_level": "READ COMMITTED",
        "pool_recycle": RECYCLE_SECONDS,
    }


def set_up(engine: Engine) -> None:
    """Replace connections that broke; let SQLite behave as a server does.

    Of SQLite that is: many readers beside one writer, nothing lost by a power cut.
    """
    if engine.dialect.name != "sqlite":
        _look_before_use(engine)
        return

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, record: Any) -> None:
        # The driver's own idea of transactions ends here: SQLAlchemy says when they begin.
        connection.isolation_level = None
        # SQLite's own knows ASCII only.
        connection.create_function("lower", 1, _lower, deterministic=True)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        # A transaction that reads first cannot become a writer when another one wrote meanwhile.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _look_before_use(engine: Engine) -> None:
    """Have a pooled connection ask its server whether it still answers where it may not.

    That is after a pause, or where its server has said something unasked: a goodbye, or the end of the connection.
    To ask each time, as pool_pre_ping does, costs a twelfth of all that a delivery does.
    """

    failure: type[Exception] = engine.dialect.loaded_dbapi.Error

    @event.listens_for(engine, "checkin")
    def on_checkin(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info[_RESTS] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def on_checkout(connection: Any, record: ConnectionPoolEntry, proxy: Any) -> None:
        rests = record.info.get(_RESTS)
        if rests is None or (time.monotonic() - rests < FRESH_SECONDS and not _heard_something(connection, failure)):
            return
        try:
            engine.dialect.do_ping(connection)
        except failure:
            raise DisconnectionError("the server has closed the connection") from None


def _heard_something(connection: Any, failure: type[Exception]) -> bool:
    """Whether bytes, or the end of the stream, wait on the socket of a connection that nobody uses."""
    try:
        number = connection.fileno() if hasattr(connection, "fileno") else connection._sock.fileno()
        poll = select.poll()
        poll.register(number, select.POLLIN)
        return bool(poll.poll(0))
    except (AttributeError, OSError, ValueError, failure):
        # A driver that does not show its socket, or a connection that knows that it is over.
        return True


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def init_app(app: Flask, settings: Settings) -> None:
    """Bind Flask-SQLAlchemy to the database of the settings; SettingsError where its address makes no sense."""
    try:
        url = url_of(settings)
        app.config["SQLALCHEMY_DATABASE_URI"] = url
        app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
        db.init_app(app)
        with app.app_context():
            set_up(db.engine)
    except (ArgumentError, ModuleNotFoundError):
        reason = "is no address of a database, such as postgresql://user:password@host/name"
        raise SettingsError("DATABASE_URL", reason) from None


@contextmanager
def writing() -> Iterator[None]:
    """One transaction that writes: committed at the end of the block, rolled back by an exception.

    What the session had read before is read again.
    """
    db.session.rollback()
    db.session.info[_AFTERWARDS] = []
    try:
        db.session.connection(execution_options={"writes": True})
        yield
        db.session.commit()
    except BaseException:
        db.session.info.pop(_AFTERWARDS, None)
        db.session.rollback()
        raise
    for act in db.session.info.pop(_AFTERWARDS, ()):
        act()


def afterwards(act: Callable[[], object]) -> None:
    """Run this as soon as the transaction of writing() that is open is committed, and only then; it must not raise."""
    db.session.info.setdefault(_AFTERWARDS, []).append(act)
