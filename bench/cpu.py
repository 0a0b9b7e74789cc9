"""CPU seconds of a site's processes: what a message costs, however busy the machine is otherwise."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sqlalchemy import text

from app.extensions import db
from bench.delivery_site import Site

TICKS = os.sysconf("SC_CLK_TCK")
# Of the fields after the name in /proc/PID/stat: the parent; user and system time, its own and its ended children's.
_PARENT, _TIMES = 1, slice(11, 15)


def seconds(site: Site) -> dict[str, float]:
    """CPU seconds so far: the job workers, the relay, Valkey, the database's server, and this process.

    This process saves the messages and runs the receivers. SQLite has no server: its time is that of who uses it.
    """
    found = {name: _of(site.family.pids(name)) for name in site.family.names}
    server = _server(site)
    return found | {"database": _of(server) if server else 0.0, "saving and receivers": time.process_time()}


def _server(site: Site) -> list[int]:
    """The processes of the database's server, where it runs here."""
    with site.app.app_context():
        if db.engine.dialect.name != "postgresql":
            return []
        backend = db.session.scalar(text("SELECT pg_backend_pid()"))
        db.session.remove()
    stat = _stat(backend or 0)
    if not stat:
        return []
    postmaster = int(stat[_PARENT])
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [postmaster, *map(int, children)]


def _of(pids: Iterable[int]) -> float:
    """The time of these processes; of the first, which started the others, also that of those which ended."""
    total = 0
    for number, pid in enumerate(pids):
        own = [int(field) for field in _stat(pid)[_TIMES]]
        total += sum(own if number == 0 else own[:2])
    return total / TICKS


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name; none where there is no such process."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []
