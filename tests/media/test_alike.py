"""Packets that are looked at together: which follow each other, and what they carry."""

from __future__ import annotations

import pytest

from voice.media import rtp
from voice.media.alike import Arrival, audio_of, follow
from voice.media.rtp import RTPPacket

SSRC, SEQUENCE, TIMESTAMP, COUNT, STEP = 0xFFFF_FFFF, 500, 0x8000_0000, 25, 160
SIZE = 12 + STEP


def packet(number: int, *, ssrc: int = SSRC, sequence: int = SEQUENCE, timestamp: int = TIMESTAMP) -> bytes:
    return rtp.build(RTPPacket(0, sequence + number, timestamp + number * STEP, ssrc, bytes([number]) * STEP))


def asked(packets: list[bytes], sequence: int = SEQUENCE, timestamp: int | None = TIMESTAMP, ssrc: int = SSRC) -> bool:
    return follow(bytearray(b"".join(packets)), SIZE, len(packets), sequence, timestamp, ssrc)


def test_those_that_follow_each_other_are_told_and_their_audio_is_taken() -> None:
    packets = [packet(number) for number in range(COUNT)]
    assert asked(packets)
    assert asked(packets, timestamp=None)
    assert asked(packets[:1])
    assert audio_of(bytearray(b"".join(packets)), SIZE) == b"".join(bytes([number]) * STEP for number in range(COUNT))


@pytest.mark.parametrize("place", [0, 11, COUNT - 1])
@pytest.mark.parametrize(
    "other",
    [
        lambda place: packet(place, ssrc=1),
        lambda place: packet(place, sequence=SEQUENCE + 1),
        lambda place: packet(place, timestamp=TIMESTAMP + STEP),
        lambda place: b"\xa0" + packet(place)[1:-1] + b"\x04",
        lambda place: b"\x90" + packet(place)[1:],
        lambda place: b"\x81" + packet(place)[1:],
        lambda place: b"\x00" + packet(place)[1:],
    ],
    ids=["another source", "another number", "another time", "padding", "an extension", "a CSRC", "no RTP"],
)
def test_one_that_does_not_follow_is_found_at_any_place(place: int, other: object) -> None:
    assert callable(other)
    packets = [packet(number) for number in range(COUNT)]
    packets[place] = other(place)
    assert not asked(packets)


def test_nothing_follows_where_nothing_came_before() -> None:
    packets = [packet(number, sequence=0, timestamp=0) for number in range(COUNT)]
    assert asked(packets, 0, 0)
    assert not asked(packets, -1, 0)
    assert not asked(packets, 0, -1)


def test_numbers_that_begin_anew_are_left_to_those_who_look_at_each() -> None:
    at_the_end = 0x10000 - COUNT
    assert asked([packet(number, sequence=at_the_end) for number in range(COUNT)], at_the_end)
    assert not asked([packet(number, sequence=at_the_end + 1) for number in range(COUNT)], at_the_end + 1)
    late = 0x1_0000_0000 - STEP
    assert not asked([packet(number, timestamp=late) for number in range(COUNT)], timestamp=late)
    assert asked([packet(0, timestamp=late)], timestamp=late)


def test_a_datagram_is_what_was_read_last() -> None:
    arrival = Arrival()
    arrival.data[:4] = b"abcd"
    copy = arrival.datagram(4)
    arrival.data[:4] = b"efgh"
    assert (copy, arrival.datagram(3), bytes(arrival.view(2))) == (b"abcd", b"efg", b"ef")
    assert arrival.view(2) is arrival.view(2)
