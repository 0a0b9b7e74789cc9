"""Large bodies over slow lines, as Azure and Google are sent them: over TLS, which no server of the tests has."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests

from app.storage import uplink
from tests.delivery.mail_server import Authority
from tests.storage.proxy import Proxy

BODY = bytes(range(250)) * 6000


class Taking(BaseHTTPRequestHandler):
    """Takes bodies; taken: the last one."""

    taken = b""

    def do_PUT(self) -> None:
        Taking.taken = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[tuple[requests.Session, int]]:
    """A session that sends in pieces, and the port of a TLS server that it trusts."""
    authority = Authority.make(tmp_path)
    server = HTTPServer(("127.0.0.1", 0), Taking)
    server.socket = authority.context().wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with requests.Session() as session:
        # REQUESTS_CA_BUNDLE of whoever runs the tests would stand above verify.
        session.trust_env, session.verify = False, str(authority.file)
        uplink.mount(session)
        yield session, server.server_port
    server.shutdown()
    server.server_close()


def test_a_body_over_tls_may_take_longer_than_to_connect(session: tuple[requests.Session, int]) -> None:
    sending, port = session
    with Proxy(port, len(BODY) // 4) as slow:
        began = time.monotonic()
        answer = sending.put(f"https://127.0.0.1:{slow.port}/", data=BODY, timeout=(1.5, 15))
    assert time.monotonic() - began > 3
    assert (answer.status_code, Taking.taken) == (200, BODY)


def test_a_store_that_takes_no_more_is_noticed(
    session: tuple[requests.Session, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "READ_SECONDS", 0.5)
    sending, port = session
    with Proxy(port, 1000) as slow:
        began = time.monotonic()
        with pytest.raises(requests.ConnectionError, match="timed out"):
            sending.put(f"https://127.0.0.1:{slow.port}/", data=BODY, timeout=(10, 10))
    assert time.monotonic() - began < 8
