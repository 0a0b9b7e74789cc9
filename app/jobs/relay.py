"""The relay: what no queue holds any more comes back into one, and old things go.

Any number of relays may run beside each other; each step is safe to do twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.config import Settings
from app.extensions import db
from app.jobs import queue
from app.jobs.logs import one_line
from app.services import (
    broken_off,
    calls,
    deliveries,
    lanes,
    outbox,
    outbox_clock,
    purge,
    recording_end,
    retention,
    sessions,
)

log = logging.getLogger(__name__)

BATCH = 200
SWEEP_SECONDS = 3600.0
# Longer than a voice worker that lives takes to say so again (voice/store.py, HEARTBEAT_TTL_SECONDS).
LOOK_SECONDS = 20.0
# Looked for seldom: it reads all that waits, which is much in an outage.
CLOCK_SECONDS = 20.0


class Relay:
    """One round after the other until `stop` is set."""

    def __init__(self, app: Flask, stop: threading.Event) -> None:
        self._app, self._stop = app, stop
        self._broken: dict[str, bool] = {}
        self._next_sweep = self._next_look = self._next_clock = 0.0
        self._suspects: frozenset[str] = frozenset()

    def run(self) -> None:
        """Work until stopped; what fails in a round is tried again in the next."""
        settings: Settings = self._app.extensions["settings"]
        while not self._stop.is_set():
            self.round()
            self._stop.wait(settings.delivery.relay_seconds)

    def round(self) -> None:
        """Due deliveries into their queues, lapsed leases back; at times the sweep, and a look for broken calls."""
        with self._app.app_context():
            if self._guarded("looking for due deliveries", self._start) and time.monotonic() >= self._next_sweep:
                more: list[bool] = []
                self._guarded("the hourly sweep", lambda: more.append(sweep()))
                self._next_sweep = time.monotonic() + (0.0 if any(more) else SWEEP_SECONDS)
            if time.monotonic() >= self._next_look:
                self._guarded("looking for calls that were broken off", self.look)
                self._next_look = time.monotonic() + LOOK_SECONDS

    def _start(self) -> None:
        """What is due goes into its queue; at times also what a wrong clock has made wait."""
        if time.monotonic() >= self._next_clock:
            if wrong := outbox_clock.end_wrong_waits():
                log.warning("waits that a clock had set which was ahead end now: %d", wrong)
            self._next_clock = time.monotonic() + CLOCK_SECONDS
        relay_once()

    def look(self) -> None:
        """Close programmed calls that nobody served at the look before, nor serves now."""
        before, self._suspects = self._suspects, broken_off.suspects()
        broken_off.close(before & self._suspects)

    def _guarded(self, what: str, step: Callable[[], object]) -> bool:
        """Run a step; one log line when it begins to fail, one when it works again."""
        try:
            step()
        except Exception as error:
            db.session.rollback()
            if not self._broken.get(what):
                if isinstance(error, (SQLAlchemyError, OSError)):
                    log.error("%s fails and is tried again: %s", what, one_line(error))
                else:
                    log.exception("%s fails and is tried again", what)
            self._broken[what] = True
            return False
        if self._broken.pop(what, False):
            log.info("%s works again", what)
        return True


def relay_once() -> int:
    """One round; the number of deliveries put into queues. The log says which workers died."""
    for delivery_id in outbox.expire_leases():
        log.warning("delivery=%s its worker ended in the middle of it; it starts again", delivery_id)
    queued = 0
    while rows := outbox.due(BATCH):
        waiting = [queue.Due.of(row) for row in rows]
        db.session.rollback()
        ids = [due.id for due in waiting[: queue.enqueue_deliveries(waiting, keep_places=True)]]
        outbox.mark_queued(ids)
        queued += len(ids)
        if len(ids) < BATCH:
            break
    return queued


def sweep() -> bool:
    """What happens by the hour: what is too old goes, uploads that were given up start again. True: there is more."""
    moved, purged = retention.to_trash(), purge.sweep_retention()
    for delivery_id in outbox.reopen_uploads():
        log.warning("delivery=%s is tried again: its recording is only in a spool", delivery_id)
    if closed := deliveries.close_pointless():
        log.info("%d deliveries that failed are closed: their messages are gone for good", closed)
    if given_up := lanes.give_up():
        log.warning("%d webhook deliveries are given up: their receivers do not answer in time", given_up)
    broken_off.close_forgotten()
    sessions.sweep()
    # Recordings first: a call goes when none of it is left.
    return max(moved, purged, recording_end.sweep(), calls.sweep()) >= purge.BATCH
