"""Clients that begin a request and do not go on take nobody's turn."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import until

ROOT = Path(__file__).parents[2]
HALVES = (
    b"",
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
)
WHOLE = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("web") / "web"
    command = [sys.executable, "-m", "gunicorn", "tests.launch.hasty:app", "--bind", f"unix:{path}", "--threads", "2"]
    command += ["--worker-class", "tests.launch.hasty.HastyWorker", "--graceful-timeout", "1", "--no-control-socket"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        try:
            until(path.exists, timeout=30, what="gunicorn listens")
            yield path
        finally:
            process.terminate()


def connected(path: Path, said: bytes) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(30)
    client.connect(str(path))
    client.sendall(said)
    return client


def answer(client: socket.socket) -> bytes:
    """All that is sent until the other side hangs up."""
    with client:
        return b"".join(iter(lambda: client.recv(4096), b""))


@pytest.mark.parametrize("half", HALVES, ids=("nothing", "head", "body", "chunk"))
def test_half_a_request_takes_nobodys_turn(server: Path, half: bytes) -> None:
    slow = [connected(server, half) for _ in range(6)]
    assert answer(connected(server, WHOLE)).endswith(b"\r\n\r\nabc")
    for client in slow:
        assert b"200 OK" not in answer(client)
