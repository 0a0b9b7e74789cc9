"""Leases of the deliveries that this process works on, renewed by one thread for as long as they take."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from app.jobs.logs import one_line
from app.services import outbox
from app.services.outbox import Claim

log = logging.getLogger(__name__)
# A lease is renewed so many times before it would lapse.
RENEWALS = 3


@dataclass
class _Held:
    """A claim that is being worked on; due: when its lease is renewed next (monotonic)."""

    app: Flask
    claim: Claim
    interval: float
    due: float

    def renew(self) -> None:
        """Extend the lease; an outage of the database leaves it as it is, for the next time."""
        self.due = time.monotonic() + self.interval
        try:
            with self.app.app_context():
                stands = outbox.renew(self.claim)
        except SQLAlchemyError as error:
            log.warning("delivery=%s its lease is not renewed: %s", self.claim.delivery_id, one_line(error))
            return
        if not stands:
            self.due = float("inf")


class _Keeper:
    """The thread. It starts with a claim, and ends when it wakes and there is none: most take no part of a lease."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: list[_Held] = []
        self._thread: threading.Thread | None = None
        self._wakes = 0.0

    def add(self, held: _Held) -> None:
        """Renew it from now on."""
        with self._changed:
            self._held.append(held)
            # A thread of before a fork is not alive.
            if self._thread is None or not self._thread.is_alive():
                self._wakes = held.due
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
            elif held.due < self._wakes:
                self._changed.notify()

    def remove(self, held: _Held) -> None:
        """Renew it no more."""
        with self._changed:
            self._held.remove(held)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._held:
                    self._thread = None
                    return
                now, self._wakes = time.monotonic(), min(held.due for held in self._held)
                if self._wakes > now:
                    self._changed.wait(min(self._wakes - now, threading.TIMEOUT_MAX))
                    continue
                due = [held for held in self._held if held.due <= now]
            for held in due:
                held.renew()


_keeper = _Keeper()


@contextmanager
def kept(claim: Claim) -> Iterator[None]:
    """Renew a claim's lease for as long as the block runs, in the application that is current."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    interval = app.extensions["settings"].delivery.lease_seconds / RENEWALS
    held = _Held(app, claim, interval, time.monotonic() + interval)
    _keeper.add(held)
    try:
        yield
    finally:
        _keeper.remove(held)
