"""Whether what was started is ready: the portal says so on /readyz, the voice worker by its heartbeat."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from flask import Flask

from app.config import Settings
from app.errors import AppError
from app.services import workers

ANSWER_SECONDS = 2.0


@dataclass(frozen=True)
class Part:
    """Something to wait for: its name for people and the question whether it is ready."""

    name: str
    ready: Callable[[], bool]


def parts(app: Flask, settings: Settings, began: datetime) -> list[Part]:
    """What a start at the time `began` waits for."""
    waiting = [Part("the portal", lambda: portal_ready(settings))]
    if settings.voice_enabled:
        waiting.append(Part("the voice worker", lambda: voice_ready(app, settings, began)))
    return waiting


def portal_ready(settings: Settings) -> bool:
    """Whether /readyz answers 200; it asks the address itself, past any reverse proxy."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.web.host, settings.web.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.web.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def voice_ready(app: Flask, settings: Settings, began: datetime) -> bool:
    """Whether this host's voice worker, started after `began`, says that it takes calls."""
    try:
        with app.app_context():
            live = workers.live()
    except AppError:
        return False
    return any(
        worker["host"] == settings.host_name
        and worker["sip_port"] == settings.sip.port
        and worker["state"] == "ready"
        # The last word of a worker that was killed stands for some seconds.
        and datetime.fromisoformat(worker["started_at"]) >= began.replace(microsecond=0)
        for worker in live
    )
