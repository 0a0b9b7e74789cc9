"""Lines as the tables of streams see them: with sockets, without a loop."""

from __future__ import annotations

import socket

import pytest


class Line:
    """Two sockets that are connected, and our end of it as the tables see it."""

    name = "line"

    def __init__(self) -> None:
        self.near, self.far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for end in (self.near, self.far):
            end.bind(("127.0.0.1", 0))
            end.setblocking(False)
        self.near.connect(self.far.getsockname())
        self.far.connect(self.near.getsockname())

    def fileno(self) -> int:
        return self.near.fileno()

    def receive(self) -> None: ...
    def tick(self) -> None: ...
    def check(self, now: float) -> None: ...
    def removed(self, broken: bool) -> None: ...
    def send_apart(self) -> None: ...
    def go_apart(self) -> None: ...
    def settle(self) -> None: ...
    def take_apart(self, data: bytes, now: float) -> None: ...

    def close(self) -> None:
        self.near.close()
        self.far.close()


def fail(stream: object) -> None:
    pytest.fail(f"{stream} has failed")
