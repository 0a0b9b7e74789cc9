"""A UDP socket that ties itself to whoever is first to send it something valid (symmetric RTP, RFC 4961)."""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
from collections.abc import Callable
from typing import Any

from voice.media.alike import DATAGRAM_BYTES, Arrival

EXPEDITED_FORWARDING = 0xB8
ANCILLARY_BYTES = 64
QUEUED_DATAGRAMS = 64
# Python does not name it: the kernel tells when a datagram came (socket(7)).
SO_TIMESTAMPNS = 35
_TIME = struct.Struct("@qq")
SETTLE_SECONDS = 1.0
"""How long the source before a change of address is still heard, but not tied to, while the new one begins."""
PROBATION_SECONDS = 3.0
"""How long a source that is not quite the one announced is listened to before the socket is tied to it."""
SILENT_SECONDS = 0.3
"""After so long without a packet of the source on probation, any other takes its place."""
ANNOUNCED, KNOWN, STRANGE = 2, 1, 0
_LIBC = ctypes.CDLL(None, use_errno=True)
_AF_UNSPEC_ADDRESS = bytes(16)


class LatchedSocket:
    """Sends to the address announced until a valid datagram has come, from then on to its source.

    accept(data, now) says whether a datagram is valid, and takes it. Once latched, the socket is connected:
    that is cheaper, and the kernel drops what strangers send. Never blocks.

    The address announced is believed at once. Any other source is on probation first: one from a host that is known
    (the one announced with another port, or the one that the signalling comes from, as behind a NAT) takes its place,
    and the address announced that of both. Where nobody knows its host the socket is never tied to it, so that a
    stranger who is first gives way whenever the other side begins to speak; after the probation no other stranger takes
    its place.
    """

    __slots__ = (
        "_accept",
        "_arrival",
        "_buffer",
        "_former",
        "_heard_at",
        "_is_settled",
        "_latched",
        "_on_probation",
        "_probation_ends",
        "_recv",
        "_send",
        "_settled_at",
        "_signalling",
        "_take",
        "_target",
        "_watch",
        "socket",
    )

    def __init__(
        self,
        ip: str,
        port: int,
        target: tuple[str, int],
        accept: Callable[[bytes, float], bool],
        signalling: str = "",
        arrival: Arrival | None = None,
        take: Callable[[int, float], object] | None = None,
    ) -> None:
        """Take the port; OSError. target: where the other side says that it listens.

        signalling: the address that its requests come from. arrival: where datagrams are read to once it is latched,
        and take: is told the size of each; without, accept is given them.
        """
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self.socket.setblocking(False)
            if family == socket.AF_INET:
                self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED_FORWARDING)
            else:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED_FORWARDING)
            self.socket.bind((ip, port))
        except OSError:
            self.socket.close()
            raise
        self._arrival = arrival or Arrival()
        self._buffer = self._arrival.data
        self._recv: Callable[[bytearray], int] = self.socket.recv_into
        self._send = self.socket.send
        self._accept, self._take = accept, take or self._read
        self._target = sendable(*target)
        self._signalling = signalling
        self._latched = self._is_settled = False
        self._on_probation: Any = None
        self._probation_ends = self._heard_at = 0.0
        self._former: Any = None
        self._settled_at = 0.0
        self._watch: Callable[[bytes, float], bool] | None = None

    @property
    def source(self) -> str:
        """The address that it is tied to, empty before."""
        tied = self._tied_to()
        return str(tied[0]) if tied else ""

    @property
    def is_plain(self) -> bool:
        """Tied to a source, and nobody wants to know when packets come."""
        return self._latched and self._watch is None

    def watch(self, observer: Callable[[bytes, float], bool]) -> bool:
        """Tell what comes, and when it came by the day's clock of the kernel, until the observer has enough (True).

        False where it is not tied to a source yet.
        """
        if self._latched:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._watch, self._recv = observer, self._watched
        return self._latched

    def receive(self, now: float) -> None:
        """Read one datagram, if there is one."""
        try:
            if self._latched:
                # Called in two steps: CPython 3.11 looks up what a slot holds faster than a method of that name.
                receive, take = self._recv, self._take
                take(receive(self._buffer), now)
                return
            data, source = self.socket.recvfrom(DATAGRAM_BYTES)
        except OSError:
            # Nothing there, or an ICMP error about what was sent.
            return
        rank, other = self._rank(source), self._on_probation
        is_held = self._is_settled or now - self._heard_at < SILENT_SECONDS
        if other not in (None, source) and rank <= self._rank(other) and is_held:
            return
        if self._accept(data, now) and source[1] and (source != self._former or now >= self._settled_at):
            if source != other:
                self._on_probation, self._probation_ends = source, now + PROBATION_SECONDS
            self._heard_at, self._is_settled = now, now >= self._probation_ends
            if rank == ANNOUNCED or (self._is_settled and rank == KNOWN):
                self._latch(source, now)

    def receive_queued(self, now: float) -> None:
        """Read what has come from the source that the socket is tied to, or may be."""
        tied = self._tied_to()
        if tied is not None:
            self._read_queued(tied, now)

    def send(self, data: bytes) -> bool:
        """Send a datagram; False where there is nowhere to send to, or it could not be sent."""
        try:
            if self._latched:
                send = self._send
                send(data)
            elif (target := self._on_probation or self._target) is not None:
                self.socket.sendto(data, target)
            else:
                return False
        except OSError:
            # The other side's port is closed, or the network is away: the media time-out ends such a call.
            return False
        return True

    def dissolve(self, target: tuple[str, int], now: float) -> None:
        """The other side has another address: send there, and latch again."""
        self._target = sendable(*target)
        tied, self._on_probation, self._is_settled = self._tied_to(), None, False
        if tied is not None:
            self._former, self._settled_at = tied, now + SETTLE_SECONDS
        if self._latched:
            # What the old source has sent is still on its way, and must not win the new latch.
            # Python has no way to say it: connect to an address of family AF_UNSPEC (connect(2)).
            _LIBC.connect(self.socket.fileno(), _AF_UNSPEC_ADDRESS, len(_AF_UNSPEC_ADDRESS))
            self._latched = False

    def close(self) -> None:
        """Give the port back. Harmless when it is over."""
        self._latched, self._on_probation = False, None
        self._watch, self._recv = None, self.socket.recv_into
        self.socket.close()

    def _tied_to(self) -> Any:
        return self.socket.getpeername() if self._latched else self._on_probation

    def _rank(self, source: Any) -> int:
        """How sure it is that this is the other side."""
        target = self._target
        if target is not None and source[:2] == target:
            return ANNOUNCED
        return KNOWN if source[0] == self._signalling or (target and source[0] == target[0]) else STRANGE

    def _read(self, size: int, now: float) -> None:
        self._accept(self._arrival.datagram(size), now)

    def _watched(self, buffer: bytearray) -> int:
        size, ancillary, _flags, _source = self.socket.recvmsg_into([buffer], ANCILLARY_BYTES)
        arrival = arrival_of(ancillary)
        if arrival is None or self._watch is None or self._watch(self._arrival.datagram(size), arrival):
            self._watch, self._recv = None, self.socket.recv_into
        return size

    def _latch(self, source: Any, now: float) -> None:
        try:
            self.socket.connect(source)
        except OSError:
            return
        self._latched = True
        # What strangers sent before the kernel knew is still queued.
        self._read_queued(source, now)

    def _read_queued(self, only: Any, now: float) -> None:
        for _ in range(QUEUED_DATAGRAMS):
            try:
                data, source = self.socket.recvfrom(DATAGRAM_BYTES)
            except OSError:
                return
            if source == only:
                self._accept(data, now)


def arrival_of(ancillary: list[tuple[int, int, bytes]]) -> float | None:
    """When the kernel took a datagram: seconds of the day's clock."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) == _TIME.size:
            seconds, nanoseconds = _TIME.unpack(data)
            return float(seconds + nanoseconds / 1e9)
    return None


def sendable(ip: str, port: int) -> tuple[str, int] | None:
    """An address to send to. None for a name (looking it up would stop the loop), 0.0.0.0 or port 0."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return None
    if address.is_unspecified or address.is_multicast or not 0 < port < 65536:
        return None
    return str(address), port
