"""How much one source may ask of us: token buckets by address, in bounded memory."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

MAX_SOURCES = 10_000


class RateLimiter:
    """A bucket a source: `rate` tokens a second, at most `burst`. An IPv6 source is its /64, which one host may own.

    At most `limit` buckets are kept; the one that was idle longest goes first, and would have been full soonest.
    """

    def __init__(self, rate: float, burst: int, limit: int = MAX_SOURCES) -> None:
        self._rate, self._burst, self._limit = rate, float(burst), limit
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def is_empty(self, address: str, now: float) -> bool:
        """Whether the next take() would fail. now: seconds of a clock that does not go back."""
        return self._left(bucket_of(address), now) < 1.0

    def take(self, address: str, now: float) -> bool:
        """Take a token; False where there is none."""
        if self.is_empty(address, now):
            return False
        self.charge(address, now, 1)
        return True

    def charge(self, address: str, now: float, tokens: int) -> None:
        """Take tokens whether they are there or not; the bucket may go a burst below empty."""
        bucket = bucket_of(address)
        self._buckets[bucket] = (max(-self._burst, self._left(bucket, now) - tokens), now)
        self._buckets.move_to_end(bucket)
        if len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)

    def _left(self, bucket: str, now: float) -> float:
        tokens, then = self._buckets.get(bucket, (self._burst, now))
        return min(self._burst, tokens + (now - then) * self._rate)


def bucket_of(address: str) -> str:
    """The key of an address: itself, or the /64 of an IPv6 one; an IPv4 address mapped into IPv6 is the IPv4 one."""
    if ":" not in address:
        return address
    found = ipaddress.IPv6Address(address.partition("%")[0])
    return str(found.ipv4_mapped or ipaddress.IPv6Address(int(found) >> 64 << 64))
