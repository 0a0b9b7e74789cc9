"""RTP packets (RFC 3550 section 5.1): bytes in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

HEADER = Struct("!BBHII")
HEADER_SIZE = 12
VERSION_BITS = 0x80
MARKER = 0x80
MAX_PAYLOAD = 1600
"""Bytes of the longest payload taken: 200 ms of G.711, as RFC 3551 section 4.2 asks of a receiver."""


class RTPError(ValueError):
    """A datagram that is no RTP packet."""


@dataclass(frozen=True, slots=True)
class RTPPacket:
    """One packet. sequence: 16 bits, timestamp and ssrc: 32 bits, payload without padding and extension."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes = b""
    marker: bool = False


def parse(data: bytes) -> RTPPacket:
    """Read a datagram; RTPError where it is none of RTP version 2."""
    payload = payload_of(data)
    _, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    return RTPPacket(second & 0x7F, sequence, timestamp, ssrc, payload, bool(second & MARKER))


def build(packet: RTPPacket) -> bytes:
    """The packet's bytes; numbers are cut to their width, so that they may simply be counted up."""
    second = (packet.payload_type & 0x7F) | (MARKER if packet.marker else 0)
    return (
        HEADER.pack(
            VERSION_BITS, second, packet.sequence & 0xFFFF, packet.timestamp & 0xFFFFFFFF, packet.ssrc & 0xFFFFFFFF
        )
        + packet.payload
    )


def payload_of(data: bytes) -> bytes:
    """The payload behind CSRC list and header extension, before padding; RTPError."""
    end = len(data)
    if end < HEADER_SIZE:
        raise RTPError(f"{end} bytes are too few for RTP")
    first = data[0]
    if first >> 6 != 2:
        raise RTPError(f"RTP version {first >> 6}")
    start = HEADER_SIZE + 4 * (first & 0x0F)
    if first & 0x10:
        if start + 4 > end:
            raise RTPError("the header extension is cut off")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:
        padding = data[-1]
        if padding == 0:
            raise RTPError("padding of no length")
        end -= padding
    if start > end:
        raise RTPError("the packet is shorter than its header says")
    if end - start > MAX_PAYLOAD:
        raise RTPError(f"a payload of {end - start} bytes")
    return data[start:end]
