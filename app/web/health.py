"""Is the portal alive, and can it work?"""

from __future__ import annotations

import logging
from collections.abc import Callable

import redis
from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.config import Settings
from app.extensions import db
from app.storage import StoreError, open_store
from app.web.probe import Probe

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)
ANSWER_SECONDS = 1.0
# A store that takes longer to answer, but does, is there.
MEMORY_SECONDS = 15.0
# An object that is not there: to hear so is enough.
PROBE_KEY = "readyz/probe"


@blueprint.get("/healthz")
def healthz() -> Response:
    """200 as long as the process answers."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """200 where database, Redis and the store answer, else 503; the body names each, and tells nothing more."""
    found = {name: _works(name, check) for name, check in CHECKS.items()}
    ready = all(found.values())
    words = {name: "ok" if works else "away" for name, works in found.items()}
    return jsonify(status="ok" if ready else "away", **words), 200 if ready else 503


def _works(name: str, check: Callable[[Settings], object]) -> bool:
    settings: Settings = current_app.extensions["settings"]
    try:
        check(settings)
    except (SQLAlchemyError, redis.RedisError, StoreError, OSError) as error:
        log.warning("not ready: %s (%s)", name, type(error).__name__)
        return False
    return True


def _database(settings: Settings) -> None:
    try:
        db.session.execute(select(1))
    finally:
        db.session.rollback()


def _redis(settings: Settings) -> None:
    with redis.Redis.from_url(
        settings.redis_url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS
    ) as client:
        client.ping()


def _store(settings: Settings) -> None:
    probe: Probe = current_app.extensions.setdefault("store probe", Probe(ANSWER_SECONDS, MEMORY_SECONDS))
    probe.ask(lambda: open_store(settings).stat(PROBE_KEY))


CHECKS: dict[str, Callable[[Settings], object]] = {"database": _database, "redis": _redis, "store": _store}
