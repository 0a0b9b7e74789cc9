"""Our own address as a given peer reaches it, and how a socket for IPv6 and IPv4 writes addresses."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable

WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104  compared with, never bound
KEEP_SECONDS = 60.0
MAX_ENTRIES = 1000
_MAPPED = "::ffff:"


def version_of(address: str) -> int:
    """4 or 6; 0 for a name."""
    try:
        return ipaddress.ip_address(address).version
    except ValueError:
        return 0


class LocalAddress:
    """public_address where it is set, else the bound host, else the local end of the route to the peer.

    So it is as well where the peer has an IPv6 address and the one that is set an IPv4 one, or the other way round.
    A route is looked up once a minute.
    """

    def __init__(self, host: str, public_address: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._fixed = public_address or ("" if host in WILDCARDS else host)
        self._fixed_version = version_of(self._fixed)
        self._clock = clock
        self._routes: dict[str, tuple[float, str]] = {}

    def towards(self, peer: str) -> str:
        """The address to name in Contact, Via and SDP. Nothing is sent for it."""
        if self._fixed and (not self._fixed_version or version_of(peer) in (0, self._fixed_version)):
            return self._fixed
        now = self._clock()
        until, address = self._routes.get(peer, (0.0, ""))
        if until > now:
            return address
        if len(self._routes) >= MAX_ENTRIES:
            self._routes.clear()
        address = _route_source(peer)
        self._routes[peer] = (now + KEEP_SECONDS, address)
        return address


def _route_source(peer: str) -> str:
    family, fallback = (socket.AF_INET6, "::1") if ":" in peer else (socket.AF_INET, "127.0.0.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((peer, 9))
        except OSError:
            return fallback
        return str(probe.getsockname()[0])


def unmapped(address: str) -> str:
    """The IPv4 address that is mapped into this IPv6 one; any other as it is."""
    return address.removeprefix(_MAPPED) if "." in address else address


def mapped(address: str) -> str:
    """An IPv4 address as an IPv6 socket sends to it; any other as it is."""
    return address if ":" in address else f"{_MAPPED}{address}"
