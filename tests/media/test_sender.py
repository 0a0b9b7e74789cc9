"""The packets that we send, by their numbers (RFC 3550 section 5.1)."""

from __future__ import annotations

from itertools import pairwise

from voice.media import rtp
from voice.media.g711 import Law
from voice.media.sender import Sender


def test_numbers_that_wrap_leave_whole_packets() -> None:
    sender = Sender(Law.PCMU, 0, lambda _token: None)
    sender.sequence, sender.timestamp = 0xFFFE, 0xFFFF_FFFF - 200
    packets = [sender.packet() for _ in range(4)]
    assert {len(packet) for packet in packets} == {12 + 160}
    read = [rtp.parse(packet) for packet in packets]
    assert [packet.sequence for packet in read] == [0xFFFE, 0xFFFF, 0, 1]
    steps = [(after.timestamp - before.timestamp) % 2**32 for before, after in pairwise(read)]
    assert steps == [160, 160, 160]
    assert [packet.marker for packet in read] == [True, False, False, False]


def test_numbers_of_two_streams_have_nothing_in_common() -> None:
    """32 bits of SSRC and timestamp, by chance."""
    senders = [Sender(Law.PCMU, 0, lambda _token: None) for _ in range(20)]
    assert len({sender.ssrc for sender in senders}) == len({sender.timestamp for sender in senders}) == 20
    assert max(sender.ssrc for sender in senders) > 0xFFFF
