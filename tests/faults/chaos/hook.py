"""A receiver of webhooks that hangs, redirects to where secrets lie, or answers 500 for as long as it is told to."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.faults.chaos.faulty import HOST, Arrival, Faulty

HANG, REDIRECT, BROKEN = "hang", "redirect", "500"
WAYS = (HANG, REDIRECT, BROKEN)
METADATA = "http://169.254.169.254/latest/meta-data/"


class Hook(Faulty):
    """arrivals: calls that were answered with 200; each is known by its Idempotency-Key."""

    name = "webhook"

    def __init__(self) -> None:
        super().__init__()
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://{HOST}:{self._server.server_port}/new-message"
        threading.Thread(target=self._server.serve_forever, name="hook", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


def _handler(hook: Hook) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(errors="replace")
            wrong = hook.wrong
            if wrong == HANG:
                hook.wait_right()
                self.close_connection = True
            elif wrong == REDIRECT:
                self._answer(302, Location=METADATA)
            elif wrong == BROKEN:
                self._answer(500)
            else:
                hook.arrivals.append(Arrival(body, hook.url, self.headers.get("Idempotency-Key", "")))
                self._answer(200)

        def _answer(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: what counts is counted."""

    return Handler
