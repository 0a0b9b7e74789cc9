"""A TCP proxy before a server that counts requests, and breaks connections or bytes when it is told to."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress

REQUEST = re.compile(rb"(?m)^(GET|PUT|POST|HEAD|DELETE) (\S+) HTTP/1\.[01]\r$")


class Proxy:
    """Listens on a port of 127.0.0.1 and hands everything on to another. Use it as a context.

    requests: method and path of each, in order; sent: all that went to the server. cut_up, cut_down: bytes of one
    connection to and from the server after which it is cut; cuts: how many connections that may still happen to.
    spoil: a byte string that is changed on its way to the server. rate: bytes a second of a connection to the server.
    """

    def __init__(self, port: int, rate: int = 0) -> None:
        self._target, self._rate = port, rate
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if rate:
            # Else the system would take megabytes at once, and a slow line looked like a fast one.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = int(self._listener.getsockname()[1])
        self.requests: list[tuple[str, str]] = []
        self.sent = bytearray()
        self.cut_up = self.cut_down = 1 << 60
        self.cuts = 0
        self.spoil = b""
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Away from now on: connections are refused, and those that there are end."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                for source, target, up in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pump, args=(source, target, up), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        moved = 0
        with suppress(OSError):
            while data := source.recv(self._rate // 50 if up and self._rate else 65536):
                if up:
                    if self._rate:
                        time.sleep(len(data) / self._rate)
                    self.sent += data
                    self.requests += [(m[1].decode(), m[2].decode()) for m in REQUEST.finditer(data)]
                    if self.spoil:
                        data = data.replace(self.spoil, bytes(len(self.spoil)))
                moved += len(data)
                if moved > (self.cut_up if up else self.cut_down) and self._may_cut():
                    break
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _may_cut(self) -> bool:
        with self._lock:
            self.cuts -= 1
            return self.cuts >= 0
