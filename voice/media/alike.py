"""Packets of audio that look like one another: read into one place, kept behind each other, looked at together.

A recording hears a second at a time, so nothing is done for a single packet that can be done for all of them.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

import numpy as np

from voice.media.rtp import HEADER_SIZE, VERSION_BITS

DATAGRAM_BYTES = 2048
LAYOUTS = 256


class Arrival:
    """Where all sockets of a loop read to, one datagram after the other. data: its first bytes are the last one's."""

    __slots__ = ("_views", "data")

    def __init__(self) -> None:
        self.data = bytearray(DATAGRAM_BYTES)
        self._views: dict[int, memoryview] = {}

    def view(self, size: int) -> memoryview:
        """The first `size` bytes, whatever is read there."""
        view = self._views.get(size)
        if view is None:
            view = self._views[size] = memoryview(self.data)[:size]
        return view

    def datagram(self, size: int) -> bytes:
        """A copy of the last datagram, which had `size` bytes."""
        return bytes(self.view(size))


def follow(packets: bytearray, size: int, count: int, sequence: int, timestamp: int | None, ssrc: int) -> bool:
    """Are these `count` packets of `size` bytes each the next ones of one source, and nothing but a header and audio?

    sequence, timestamp: of the first of them, -1 where nothing can follow; timestamp None: whatever they are. Those at
    which a number begins anew at 0 are said not to follow: it saves the thought, and costs a look at each one.
    """
    step = size - HEADER_SIZE
    if sequence < 0 or sequence + count > 0x10000:
        return False
    values = _headers(size, count).unpack_from(packets)
    if values[1::4] != tuple(range(sequence, sequence + count)):
        return False
    if timestamp is not None and values[2::4] != tuple(range(timestamp, timestamp + step * count, step)):
        return False
    return values[0::4].count(VERSION_BITS) == count and values[3::4].count(ssrc) == count


def audio_of(packets: bytearray, size: int) -> bytes:
    """What packets of `size` bytes each carry behind their headers."""
    return np.frombuffer(packets, np.uint8).reshape(-1, size)[:, HEADER_SIZE:].tobytes()


@lru_cache(LAYOUTS)
def _headers(size: int, count: int) -> Struct:
    """First byte, sequence, timestamp and SSRC of each packet."""
    return Struct("!" + f"BxHII{size - HEADER_SIZE}x" * count)
