"""Connections of httpcore to addresses that were checked, and never beyond the deadline of a request."""

from __future__ import annotations

import contextlib
import contextvars
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore

from app.net.addresses import Network, may_connect

WRITE_BYTES = 16384
# When the request of this thread must be over, by the monotonic clock.
deadline: contextvars.ContextVar[float] = contextvars.ContextVar("deadline")
Resolve = Callable[[str, int], Sequence[str]]


def system_resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, best first; OSError, UnicodeError."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class NotAllowed(Exception):
    """None of a name's addresses may be connected to; str() names one."""


class Backend(httpcore.NetworkBackend):
    """Resolves, checks, and connects to what was checked."""

    def __init__(self, allowed: Iterable[Network], resolve: Resolve) -> None:
        self._allowed, self._resolve = tuple(allowed), resolve
        self._plain = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *_: Any, **__: Any) -> Stream:
        ends = time.monotonic() + left(timeout)
        found = _within(left(timeout), lambda: list(dict.fromkeys(self._resolve(host, port))))
        good = [address for address in found if may_connect(address, self._allowed)]
        if not good:
            raise NotAllowed(found[0]) if found else httpcore.ConnectError("the name has no address")
        for count, address in enumerate(good):
            share = (ends - time.monotonic()) / (len(good) - count)
            try:
                return Stream(self._plain.connect_tcp(address, port, timeout=max(share, 0.001)))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if count + 1 == len(good):
                    raise
        raise AssertionError("not reached")


class Stream(httpcore.NetworkStream):
    """A connection none of whose steps goes beyond the deadline of the request."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._acknowledge_at_once()
        return self._inner.read(max_bytes, left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), WRITE_BYTES):
            self._inner.write(buffer[start : start + WRITE_BYTES], left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        return Stream(self._inner.start_tls(ssl_context, server_hostname, left(timeout)))

    def _acknowledge_at_once(self) -> None:
        """A server that sends head and body by themselves waits for our word in between: up to 40 ms (tcp(7))."""
        connection = self.get_extra_info("socket")
        if isinstance(connection, socket.socket) and hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def left(timeout: float | None) -> float:
    """Seconds that a step may take; httpcore.ReadTimeout where the deadline has passed."""
    rest = deadline.get() - time.monotonic()
    if rest <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return rest if timeout is None else min(rest, timeout)


def _within(seconds: float, act: Callable[[], list[str]]) -> list[str]:
    """What act() returns, or its error; httpcore.ConnectTimeout where it takes longer: resolvers know no deadline."""
    done: queue.Queue[list[str] | OSError | UnicodeError] = queue.Queue()

    def run() -> None:
        try:
            done.put(act())
        except (OSError, UnicodeError) as error:
            done.put(error)

    threading.Thread(target=run, name="resolve", daemon=True).start()
    try:
        found = done.get(timeout=seconds)
    except queue.Empty:
        raise httpcore.ConnectTimeout("the name is not resolved in time") from None
    if isinstance(found, Exception):
        raise found
    return found
