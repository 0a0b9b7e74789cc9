"""Steps of a migration that may run twice: MariaDB commits each change of a table by itself, so a kill leaves some.

Each does nothing where its work is done already.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

# MySQL and MariaDB compare as the others do, case and accents included, and keep every character, whatever the
# database was made with.
TEXT: dict[str, Any] = {
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}


def add_column(table: str, name: str, kind: Any, **options: Any) -> None:
    """Add a column without a copy of the table, which may be large."""
    if not has_column(table, name):
        op.add_column(table, sa.Column(name, kind, **options))


def has_column(table: str, name: str) -> bool:
    """Whether there is a table of this name with such a column."""
    inspector = _inspector()
    return inspector.has_table(table) and name in {column["name"] for column in inspector.get_columns(table)}


def create_table(name: str, *parts: Any) -> None:
    """Make a table of these columns and constraints."""
    if not _inspector().has_table(name):
        op.create_table(name, *parts, **TEXT)


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Make an index that is not unique."""
    if name not in {index["name"] for index in _inspector().get_indexes(table)}:
        op.create_index(name, table, columns, unique=False)


def widen(table: str, name: str, old: Any, new: Any, **options: Any) -> None:
    """Give a column that holds text a wider kind; SQLite has no widths that count."""
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column(table, name, existing_type=old, type_=new, **options)


def _inspector() -> sa.Inspector:
    # A new one each time: what it has seen, it does not look up again.
    return sa.inspect(op.get_bind())
