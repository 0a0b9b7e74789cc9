"""RTCP as bytes: what is built is read again, what is broken is one error and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.media.rtcp import Compound, ReportBlock, SenderInfo, build, parse
from voice.media.rtp import RTPError

WORD = st.integers(0, 0xFFFFFFFF)
blocks = st.builds(ReportBlock, WORD, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), WORD, WORD, WORD, WORD)
senders = st.builds(SenderInfo, st.integers(0, 2**64 - 1), WORD, WORD, WORD)


@given(WORD, st.text(max_size=300), st.none() | senders, st.none() | blocks, st.booleans())
def test_what_is_built_is_read_again(
    ssrc: int, cname: str, sender: SenderInfo | None, block: ReportBlock | None, goodbye: bool
) -> None:
    data = build(ssrc, cname, sender, block, goodbye)
    assert len(data) % 4 == 0
    assert parse(data) == Compound(ssrc, sender, (block,) if block else (), (ssrc,) if goodbye else ())


def test_a_report_to_the_byte() -> None:
    """Laid out by hand from RFC 3550 section 6.4.1 and 6.5."""
    data = build(0x01020304, "ab", SenderInfo(0x1112131415161718, 0x21, 0x22, 0x23), ReportBlock(9, 64, -2, 7, 5, 4, 3))
    assert data == bytes.fromhex(
        "81c8000c 01020304 1112131415161718 00000021 00000022 00000023"
        "00000009 40fffffe 00000007 00000005 00000004 00000003"
        "81ca0003 01020304 01026162 00000000"
    )


def test_the_seconds_begin_anew_in_2036() -> None:
    report = parse(build(1, "x", SenderInfo((1 << 64) + 5, 2, 3, 4)))
    assert report.sender == SenderInfo(5, 2, 3, 4)


REPORT = build(1, "x", None, ReportBlock(2, 0, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        REPORT[:-1],
        REPORT[:10],
        b"\x40" + REPORT[1:],
        b"\x80\x00" + REPORT[2:],
        b"\x9f" + REPORT[1:],
        b"\xa1" + REPORT[1:],
        b"\x81\xc8\x00\x00",
        b"\x9f\xcb\x00\x01\x00\x00\x00\x01",
        b"\x80\xcb\x00\x00" * 100,
        b"\x80\xc9\xff\xff" + bytes(400),
    ],
)
def test_what_is_broken_is_an_rtp_error(data: bytes) -> None:
    with pytest.raises(RTPError):
        parse(data)


def test_padding_at_the_end_and_packets_of_other_kinds_are_passed_over() -> None:
    extended = b"\x80\xcf\x00\x01\x00\x00\x00\x01"
    padded = b"\xa0\xcc\x00\x03\x00\x00\x00\x01name\x00\x00\x00\x04"
    assert parse(REPORT + extended + padded).blocks[0].ssrc == 2


@given(st.binary(max_size=200) | st.builds(lambda data, at, byte: data[:at] + byte + data[at + 1 :],
       st.just(build(1, "x", SenderInfo(1, 2, 3, 4), ReportBlock(2, 0, 0, 0, 0, 0, 0), True)),
       st.integers(0, 90), st.binary(min_size=1, max_size=1)))  # fmt: skip
def test_no_datagram_raises_anything_else(data: bytes) -> None:
    try:
        parse(data)
    except RTPError:
        return
