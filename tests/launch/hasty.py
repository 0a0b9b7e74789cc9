"""What test_slow_clients.py runs under gunicorn: an application that reads all it is sent, and a worker in a hurry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from app.launch.slow_clients import HurryingWorker


class HastyWorker(HurryingWorker):
    head_seconds = 0.5
    body_seconds = 0.5


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
