"""A bad line: a UDP relay between a caller and us that loses, doubles, delays and so reorders packets, by a seed."""

from __future__ import annotations

import heapq
import random
import select
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from types import TracebackType

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Line:
    """Shares of packets from 0 to 1; jitter: a packet is delayed by up to so many seconds, each by another time."""

    lost: float = 0.0
    doubled: float = 0.0
    jitter: float = 0.0


class LossyRelay:
    """Takes packets of one peer on `address` and sends them on to `target`, and what comes back to the peer.

    The way back is without faults. forwarded, dropped: packets to the target, doubles not counted.
    """

    def __init__(self, target: tuple[str, int], line: Line, seed: int = 1) -> None:
        self._target, self._line, self._chance = target, line, random.Random(seed)
        self._near, self._far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for sock in (self._near, self._far):
            sock.bind((HOST, 0))
            sock.setblocking(False)
        self.address: tuple[str, int] = self._near.getsockname()
        self.forwarded = self.dropped = 0
        self._peer: tuple[str, int] | None = None
        self._due: list[tuple[float, int, bytes]] = []
        self._numbers = count()
        self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> LossyRelay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._thread.join()
        self._near.close()
        self._far.close()

    def _run(self) -> None:
        while not self._over:
            wait = min(0.05, max(0.0, self._due[0][0] - time.monotonic())) if self._due else 0.05
            readable, _, _ = select.select([self._near, self._far], [], [], wait)
            with suppress(OSError):
                while self._near in readable:
                    data, self._peer = self._near.recvfrom(2048)
                    self._take(data)
            with suppress(OSError):
                while self._far in readable and self._peer:
                    self._near.sendto(self._far.recv(2048), self._peer)
            while self._due and self._due[0][0] <= time.monotonic():
                with suppress(OSError):
                    self._far.sendto(heapq.heappop(self._due)[2], self._target)

    def _take(self, data: bytes) -> None:
        chance, line = self._chance, self._line
        lost, doubled = chance.random() < line.lost, chance.random() < line.doubled
        delays = [chance.uniform(0, line.jitter), chance.uniform(0, line.jitter)]
        if lost:
            self.dropped += 1
            return
        self.forwarded += 1
        for delay in delays[: 1 + doubled]:
            heapq.heappush(self._due, (time.monotonic() + delay, next(self._numbers), data))
