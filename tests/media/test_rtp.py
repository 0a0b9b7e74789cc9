"""RTP packets as RFC 3550 has them, and everything that is none."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.media import rtp
from voice.media.rtp import RTPError, RTPPacket

PACKETS = st.builds(
    RTPPacket,
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=400),
    marker=st.booleans(),
)
PLAIN = rtp.build(RTPPacket(0, 1, 160, 7, b"audio"))


def with_first_byte(bits: int, data: bytes = PLAIN) -> bytes:
    return bytes((data[0] | bits,)) + data[1:]


@given(PACKETS)
def test_what_is_built_is_what_is_read(packet: RTPPacket) -> None:
    assert rtp.parse(rtp.build(packet)) == packet


@given(PACKETS, st.lists(st.binary(min_size=4, max_size=4), max_size=15), st.binary(max_size=60), st.integers(0, 200))
def test_sources_extension_and_padding_are_no_payload(
    packet: RTPPacket, sources: list[bytes], extension: bytes, padding: int
) -> None:
    words = len(extension) // 4
    plain = rtp.build(packet)
    data = bytes((0x80 | 0x10 | (0x20 if padding else 0) | len(sources),)) + plain[1:12] + b"".join(sources)
    data += b"\xbe\xde" + words.to_bytes(2, "big") + extension[: words * 4] + packet.payload
    if padding:
        data += bytes(padding - 1) + bytes((padding,))
    assert rtp.parse(data) == packet


@given(st.binary(max_size=2048))
def test_any_datagram_is_a_packet_or_an_rtp_error(data: bytes) -> None:
    try:
        packet = rtp.parse(data)
    except RTPError:
        return
    assert len(packet.payload) <= min(len(data) - rtp.HEADER_SIZE, rtp.MAX_PAYLOAD)


@given(PACKETS, st.integers(0, 60), st.integers(0, 255))
def test_a_packet_that_is_cut_or_hit_raises_nothing_else(packet: RTPPacket, end: int, first: int) -> None:
    data = rtp.build(packet)
    for broken in (data[:end], bytes((first,)) + data[1:]):
        with suppress(RTPError):
            rtp.parse(broken)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "too few"),
        (PLAIN[:5], "too few"),
        (PLAIN[:11], "too few"),
        (b"\x00" + PLAIN[1:], "version 0"),
        (b"\xc0" + PLAIN[1:], "version 3"),
        (with_first_byte(0x0F), "shorter than its header"),
        (with_first_byte(0x10, PLAIN[:14]), "extension is cut off"),
        (with_first_byte(0x10, PLAIN[:12] + b"\xbe\xde\xff\xff"), "shorter than its header"),
        (with_first_byte(0x20, PLAIN + b"\x00"), "padding of no length"),
        (with_first_byte(0x20, PLAIN + b"\xff"), "shorter than its header"),
        (PLAIN + bytes(2000), "2005 bytes"),
    ],
)
def test_what_is_no_rtp_is_refused_with_its_reason(data: bytes, words: str) -> None:
    with pytest.raises(RTPError, match=words):
        rtp.parse(data)


def test_numbers_may_simply_be_counted_up() -> None:
    packet = rtp.parse(rtp.build(RTPPacket(0, 0x1_0002, 0x1_0000_0003, 0x1_0000_0004)))
    assert (packet.sequence, packet.timestamp, packet.ssrc) == (2, 3, 4)
