"""HTTP receivers on real sockets that behave well or badly, one act a request."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

ANSWER = b"HTTP/1.1 %d Word\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s"


@dataclass(frozen=True)
class Request:
    """What came in. headers: by name in small letters; names: as they were sent, each time."""

    method: str
    target: str
    headers: dict[str, str]
    names: list[str]
    body: bytes


class Receiver:
    """Listens on 127.0.0.1 and plays its acts in order, the last one again and again; `requests` is what came."""

    def __init__(self, acts: Iterable[Act], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.over = threading.Event()
        self._acts, self._tls = list(acts), tls
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def close(self) -> None:
        self.over.set()
        # A thread that waits in accept() is not woken by close().
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def play(self, *acts: Act) -> None:
        """Go on with other acts."""
        with self._lock:
            self._acts = list(acts)

    def _serve(self) -> None:
        while not self.over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                request = _read(connection)
                if request is None:
                    return
                with self._lock:
                    self.requests.append(request)
                    act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
                act(self, connection)


Act = Callable[[Receiver, socket.socket], None]


def _read(connection: socket.socket) -> Request | None:
    text = b""
    while b"\r\n\r\n" not in text:
        block = connection.recv(65536)
        if not block:
            return None
        text += block
    head, _, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode("utf-8").split("\r\n")
    pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    headers = {name.lower(): value for name, value in pairs}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    return Request(method, target, headers, [name for name, _ in pairs], body)


def reply(status: int, body: bytes = b"", **headers: str) -> Act:
    """An answer; an underscore of a header's name is a dash."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items()).encode()

    def act(receiver: Receiver, connection: socket.socket) -> None:
        connection.sendall(ANSWER % (status, lines, len(body), body))

    return act


def hang(receiver: Receiver, connection: socket.socket) -> None:
    """No answer, as long as the test lasts."""
    receiver.over.wait(60)


def drip(receiver: Receiver, connection: socket.socket) -> None:
    """A header that goes on and on, a byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not receiver.over.wait(0.02):
        connection.sendall(b"x")


def drip_body(receiver: Receiver, connection: socket.socket) -> None:
    """A body without end, slowly."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not receiver.over.wait(0.02):
        connection.sendall(b"x")


def flood(receiver: Receiver, connection: socket.socket) -> None:
    """A body without end, fast."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not receiver.over.is_set():
        connection.sendall(b"x" * 65536)


def reset(receiver: Receiver, connection: socket.socket) -> None:
    """The connection breaks."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say(text: bytes) -> Act:
    """Any bytes."""
    return lambda receiver, connection: connection.sendall(text)


@contextmanager
def receiving(*acts: Act, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver that plays these acts."""
    receiver = Receiver(acts or (reply(204),), tls)
    try:
        yield receiver
    finally:
        receiver.close()
