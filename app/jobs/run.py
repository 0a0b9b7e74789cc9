"""The job of a delivery: claim, keep the lease, deliver, write the outcome, start what follows."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask import Flask, current_app, has_app_context
from sqlalchemy.exc import SQLAlchemyError

from app.config import Settings
from app.delivery import email, upload, webhook
from app.delivery.errors import PermanentError, TemporaryError, Withdrawn
from app.extensions import db
from app.jobs import lease
from app.jobs.logs import one_line
from app.services import outbox
from app.services.outbox import Claim, Outcome

log = logging.getLogger(__name__)

HANDLERS: dict[str, Callable[[Claim, Settings], Outcome]] = {
    outbox.UPLOAD: upload.deliver,
    outbox.EMAIL: email.deliver,
    outbox.WEBHOOK: webhook.deliver,
}
# What is given up is worth an alarm (docs/operations.md).
LEVELS = {
    outbox.DONE: logging.INFO,
    outbox.SKIPPED: logging.INFO,
    outbox.PENDING: logging.WARNING,
    outbox.FAILED: logging.ERROR,
}

_application: Flask | None = None


def application(settings: Settings | None = None) -> Flask:
    """The application of this job process, made at the first call, which is before the worker forks."""
    global _application  # noqa: PLW0603 - jobs are called by name, with nothing but their arguments
    if _application is None:
        from app import create_app

        _application = create_app(settings, portal=False)
    return _application


def deliver(delivery_id: str) -> None:
    """Do one attempt of a delivery, if it is due and nobody else works on it. Never raises for what went wrong."""
    with _app_context():
        try:
            _deliver(delivery_id)
        except SQLAlchemyError as error:
            # The row says pending, or its lease lapses: the relay sees to it once the database is back.
            log.error("delivery=%s waits, the database is away: %s", delivery_id, one_line(error))


def _deliver(delivery_id: str) -> None:
    claim = outbox.claim(delivery_id)
    if claim is None:
        return
    with lease.kept(claim):
        counted, outcome = _attempt(claim)
    state, _ = outbox.ending(claim, outcome)
    log.log(
        LEVELS[state],
        "delivery=%s kind=%s %s=%s attempt=%d %s%s",
        claim.delivery_id,
        claim.kind,
        "recording" if claim.recording_sid else "message",
        claim.recording_sid or claim.message_id,
        claim.attempt,
        state if counted else f"{state}, but another has taken over",
        f": {outcome.error}" if outcome.error else "",
    )


def _attempt(claim: Claim) -> tuple[bool, Outcome]:
    """Deliver and write the outcome; whether it counted, and the outcome."""
    settings: Settings = current_app.extensions["settings"]
    outcome = _outcome(claim, settings)
    try:
        counted = outbox.finish(claim, outcome)
    except Withdrawn:
        outcome = _outcome(claim, settings)
        counted = outbox.finish(claim, outcome)
    if outcome.after:
        try:
            outcome.after(counted)
        except Exception:
            # What is left in the spool is removed by the reconciler of the voice worker.
            log.exception("delivery=%s is done, tidying up after it is not", claim.delivery_id)
    return counted, outcome


def _outcome(claim: Claim, settings: Settings) -> Outcome:
    handler = HANDLERS.get(claim.kind)
    if handler is None:
        return Outcome(outbox.FAILED, error=f"this version has no delivery of the kind {claim.kind}")
    try:
        return handler(claim, settings)
    except PermanentError as error:
        return Outcome(outbox.FAILED, error=one_line(error))
    except TemporaryError as error:
        return Outcome(outbox.PENDING, error=one_line(error), retry_after=error.retry_after)
    except SQLAlchemyError:
        raise
    except Exception as error:
        log.exception("delivery=%s failed in a way nobody thought of", claim.delivery_id)
        return Outcome(outbox.PENDING, error=f"{type(error).__name__}: {one_line(error)}")
    finally:
        db.session.rollback()


@contextmanager
def _app_context() -> Iterator[None]:
    if has_app_context():
        yield
    else:
        with application().app_context():
            yield
