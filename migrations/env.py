"""Alembic's entry: from app/migrate.py with a connection, from `flask db` with the settings of the application."""

from __future__ import annotations

from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, String
from sqlalchemy.exc import OperationalError

from app.models import Base


def run(connection: Connection) -> None:
    """Run the migrations on a connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=_differs,
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _differs(migration: Any, column: Any, model: Any, found_type: Any, model_type: Any) -> bool | None:
    """Whether a column is of another kind than its model says; None: Alembic decides.

    SQLite keeps a text of any length, whatever the width in the table's declaration, which it cannot change.
    """
    texts = isinstance(found_type, String) and isinstance(model_type, String)
    return False if texts and migration.dialect.name == "sqlite" else None


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    from app.migrate import alone
    from app.services.context import settings

    try:
        with alone(settings()) as own:
            run(own)
            own.commit()
    except OperationalError as error:
        raise CommandError(f"the database: {str(error.orig).splitlines()[0]}") from None
