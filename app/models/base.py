"""What all tables share: the naming convention, UTC times with microseconds, ids, the database's clock."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, MetaData, TypeDecorator
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.sql.expression import FunctionElement

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Declarative base of all tables."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime with microseconds, stored naive: alike on SQLite, PostgreSQL and MariaDB."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=False))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time must say its zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class database_now(FunctionElement[datetime]):  # noqa: N801 - it is called like an SQL function
    """The database's own UTC time: the only clock for leases, since hosts' clocks differ."""

    type = UTCDateTime()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    # SQLAlchemy stores SQLite datetimes with six decimals; pad so that texts compare as times.
    return "(strftime('%Y-%m-%d %H:%M:%f', 'now') || '000')"


@compiles(database_now, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "timezone('utc', clock_timestamp())"


@compiles(database_now, "mysql")
@compiles(database_now, "mariadb")
def _now_mariadb(element: Any, compiler: Any, **kw: Any) -> str:
    return "UTC_TIMESTAMP(6)"


class database_seconds_ago(FunctionElement[datetime]):  # noqa: N801 - it is called like an SQL function
    """The database's own UTC time at the statement's beginning, less so many seconds: a number, no column."""

    type = UTCDateTime()
    inherit_cache = True


@compiles(database_seconds_ago, "sqlite")
def _seconds_ago_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || ({seconds}) || ' seconds') || '000')"


@compiles(database_seconds_ago, "postgresql")
def _seconds_ago_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"(timezone('utc', statement_timestamp()) - make_interval(secs => ({seconds})))"


@compiles(database_seconds_ago, "mysql")
@compiles(database_seconds_ago, "mariadb")
def _seconds_ago_mariadb(element: Any, compiler: Any, **kw: Any) -> str:
    seconds = compiler.process(element.clauses, **kw)
    return f"(UTC_TIMESTAMP(6) - INTERVAL ({seconds}) SECOND)"


class database_days_ago(FunctionElement[datetime]):  # noqa: N801 - it is called like an SQL function
    """The database's own UTC time so many days ago; days: whole numbers, a value or an expression of columns."""

    type = UTCDateTime()
    inherit_cache = True


@compiles(database_days_ago, "sqlite")
def _days_ago_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    days = compiler.process(element.clauses, **kw)
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', '-' || ({days}) || ' days') || '000')"


@compiles(database_days_ago, "postgresql")
def _days_ago_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    days = compiler.process(element.clauses, **kw)
    # Not clock_timestamp(), which would be asked anew for each row.
    return f"(timezone('utc', statement_timestamp()) - make_interval(days => ({days})::int))"


@compiles(database_days_ago, "mysql")
@compiles(database_days_ago, "mariadb")
def _days_ago_mariadb(element: Any, compiler: Any, **kw: Any) -> str:
    days = compiler.process(element.clauses, **kw)
    return f"(UTC_TIMESTAMP(6) - INTERVAL ({days}) DAY)"


def new_id() -> str:
    """A random UUID as text, the id of every row that leaves the house."""
    return str(uuid.uuid4())


def utc_now() -> datetime:
    """This host's time, aware, UTC."""
    return datetime.now(UTC)
