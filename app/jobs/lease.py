"""Leases of the deliveries that this process works on: renewed for as long as those take."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager

from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from app.alarms import Alarms
from app.jobs.logs import one_line
from app.services import outbox
from app.services.outbox import Claim

log = logging.getLogger(__name__)
# A lease is renewed so many times before it would lapse.
RENEWALS = 3
_alarms = Alarms("leases")


def kept(claim: Claim) -> AbstractContextManager[None]:
    """Renew a claim's lease for as long as the block runs, in the application that is current."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    interval: float = app.extensions["settings"].delivery.lease_seconds / RENEWALS

    def renew() -> float | None:
        try:
            with app.app_context():
                return interval if outbox.renew(claim) else None
        except SQLAlchemyError as error:
            log.warning("delivery=%s its lease is not renewed: %s", claim.delivery_id, one_line(error))
            return interval

    return _alarms.after(interval, renew)
