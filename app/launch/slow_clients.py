"""gunicorn's worker with threads, which no slow or silent client can occupy: a request has to arrive in time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class HurryingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Hangs up on who takes longer than head_seconds for the head of a request, or sends its body too slowly.

    gunicorn itself waits for ever, and a handful of half requests would take all its threads.
    """

    head_seconds = 10.0
    body_seconds = 15.0
    slowest_bytes_per_second = 10_000

    def handle(self, conn: Any) -> Any:
        """Serve one request of a connection; in a thread of the pool."""
        with _hanging_up(conn.sock, self.head_seconds) as conn.head_arrived:
            return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """The head is there: let the application read the body and answer."""
        conn.head_arrived()
        size = _body_size(req)
        if not size:
            # What is sent may take its time: a browser that has heard enough for now reads no further.
            return super().handle_request(req, conn)
        with _hanging_up(conn.sock, self.body_seconds + size / self.slowest_bytes_per_second):
            return super().handle_request(req, conn)


@contextmanager
def _hanging_up(sock: socket.socket, seconds: float) -> Iterator[Any]:
    """Shut the connection down unless the block ends, or what it is given is called, within so many seconds."""
    timer = threading.Timer(seconds, _hang_up, (sock,))
    timer.daemon = True
    timer.start()
    try:
        yield timer.cancel
    finally:
        timer.cancel()


def _hang_up(sock: socket.socket) -> None:
    # A thread that waits for bytes then reads the end of the request.
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _body_size(req: Any) -> int:
    """Bytes of the body as the head announces them; 1 where it does not say how many."""
    for name, value in req.headers:
        if name == "CONTENT-LENGTH":
            return int(value) if value.isdigit() and len(value) < 16 else 1
        if name == "TRANSFER-ENCODING":
            return 1
    return 0
