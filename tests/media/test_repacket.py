"""Packets of 10 to 60 ms: nothing is lost or added, numbers go on, ticks stay ticks."""

from __future__ import annotations

import itertools

import pytest

from tests.media.peer import Peer, Side, numbered
from tests.support import until
from voice.events import PlaybackDone
from voice.media import rtp
from voice.media.g711 import Law
from voice.media.repacket import Repacketiser, samples_of
from voice.media.sender import Playback, Sender


@pytest.mark.parametrize("ptime", [10, 30, 40, 50, 60])
def test_what_is_played_is_sent_to_the_sample(ptime: int) -> None:
    done: list[object] = []
    sender = Sender(Law.PCMU, 0, done.append)
    sender.sequence, sender.timestamp = 0xFFFE, 0xFFFFFF00
    payload = b"".join(numbered(30))
    sender.playback = Playback(payload, "sound")
    repacketiser = Repacketiser(sender, ptime * 8)
    ticks = [[rtp.parse(packet) for packet in repacketiser.tick()] for _ in range(30)]
    packets = list(itertools.chain(*ticks))
    assert b"".join(packet.payload for packet in packets) == payload
    assert {len(packet.payload) for packet in packets} == {ptime * 8}
    assert [packet.sequence for packet in packets] == [(0xFFFE + n) & 0xFFFF for n in range(len(packets))]
    assert [packet.timestamp for packet in packets] == [
        (0xFFFFFF00 + n * ptime * 8) & 0xFFFFFFFF for n in range(len(packets))
    ]
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    assert max(map(len, ticks)) == (2 if ptime == 10 else 1)
    assert done == ["sound"]


def test_a_pause_takes_its_time_and_begins_a_new_spurt() -> None:
    sender = Sender(Law.PCMA, 8, lambda token: None)
    start = sender.timestamp
    repacketiser = Repacketiser(sender, 320)
    assert repacketiser.tick() == []
    repacketiser.pause()
    assert repacketiser.tick() == []
    packet = rtp.parse(repacketiser.tick()[0])
    assert packet.marker
    assert packet.timestamp == (start + 320) & 0xFFFFFFFF
    assert packet.payload == Law.PCMA.silence(320)


def test_what_is_no_length_of_ours_is_20_ms() -> None:
    assert [samples_of(ptime) for ptime in (0, 5, 10, 15, 20, 30, 60, 70)] == [160, 160, 80, 160, 160, 240, 480, 160]


def test_a_stream_changes_the_length_of_its_packets_in_mid_call(side: Side, peer: Peer) -> None:
    payload = b"".join(numbered(60))
    until(lambda: peer.heard, what="audio")
    for token, ptime in enumerate((30, 60, 10, 20)):
        side.stream.ptime = ptime
        until(lambda size=ptime * 8: len(peer.heard[-1][1].payload) == size, what=f"packets of {ptime} ms")
        side.stream.play(payload[: 480 * 5], token)
        side.wait_event(PlaybackDone(token))
        until(lambda n=token: peer.audio().count(payload[: 480 * 5]) == n + 1, what="all that was played")
        assert side.stream.ptime == ptime
    packets = [packet for _, packet in tuple(peer.heard)]
    assert {(two.sequence - one.sequence) & 0xFFFF for one, two in itertools.pairwise(packets)} == {1}
    side.stream.ptime = 40
    side.stream.sending = False
    sent = side.stream.statistics.sent
    began = side.stream._loop.now
    until(lambda: side.stream._loop.now > began + 0.2, what="ten ticks")
    assert side.stream.statistics.sent <= sent + 2
    side.stream.sending = True
    until(lambda: len(peer.heard[-1][1].payload) == 320, what="packets after the hold")
