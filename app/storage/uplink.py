"""Requests to a store over slow lines: a body may take as long as it needs while bytes flow.

urllib3 sends a body in one sendall() under the time-out of connecting, and a socket's time-out is for all of it: 8 MB
would have to be gone within seconds. S3 needs none of this: botocore sends its bodies in pieces.
"""

from __future__ import annotations

import socket
from typing import Any

from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from app.storage.remote import READ_SECONDS

PIECE_BYTES = 16 * 1024
# Else the system takes megabytes of a body at once, and the time-out of the answer begins before they are gone.
UNSENT_BYTES = 128 * 1024
SOCKET_OPTIONS = [
    *HTTPConnection.default_socket_options,
    (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES),
]


class _InPieces(HTTPConnection):
    def send(self, data: Any) -> None:
        """Send something; each piece of what is large may take as long as an answer."""
        if self.sock is None or not isinstance(data, bytes) or len(data) <= PIECE_BYTES:
            super().send(data)
            return
        # A slow line takes seconds for what it has in its own buffers. What comes next sets its own time-out.
        self.sock.settimeout(READ_SECONDS)
        whole = memoryview(data)
        for start in range(0, len(data), PIECE_BYTES):
            super().send(whole[start : start + PIECE_BYTES])


class _TlsInPieces(_InPieces, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _InPieces


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsInPieces


POOLS = {"http": _Pool, "https": _TlsPool}


class _Uplink(HTTPAdapter):
    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """See HTTPAdapter."""
        super().init_poolmanager(connections, maxsize, block, socket_options=SOCKET_OPTIONS, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """See HTTPAdapter: what goes by way of an HTTP proxy; pools for SOCKS have connections of their own."""
        if proxy.lower().startswith("socks"):
            return super().proxy_manager_for(proxy, **options)
        manager = super().proxy_manager_for(proxy, socket_options=SOCKET_OPTIONS, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager


def mount(session: Session) -> None:
    """Let a session send large bodies in pieces from now on."""
    for prefix in ("http://", "https://"):
        adapter: Any = session.get_adapter(prefix)
        session.mount(prefix, _Uplink(max_retries=adapter.max_retries))
