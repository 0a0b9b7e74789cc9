"""Several threads that do the same at the same moment, each in an application context of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask

from app.extensions import db


def together(app: Flask, *acts: Callable[[], Any]) -> list[Any]:
    """Run the acts at once; what each returned, or the exception that it raised."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        with app.app_context():
            try:
                # To connect takes longer than to act: who did it later would come later.
                db.session.connection()
                start.wait(10)
                return act()
            except Exception as error:
                return error
            finally:
                db.session.remove()

    # What this thread has read would hold a lock or an old view of the tables.
    db.session.rollback()
    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))
