"""Packets of 10 to 60 ms: nothing is lost or added, numbers go on, ticks stay ticks."""

from __future__ import annotations

import itertools

import pytest

from tests.media.peer import Peer, Side, numbered
from tests.support import until
from voice.events import PlaybackDone
from voice.media import rtp
from voice.media.g711 import Law
from voice.media.latch import LatchedSocket
from voice.media.loop import MediaLoop
from voice.media.repacket import Repacketiser, samples_of
from voice.media.sender import Playback, Sender


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 50, 60])
def test_what_is_played_is_sent_to_the_sample_and_in_time(ptime: int) -> None:
    done: list[object] = []
    sender = Sender(Law.PCMU, 0, done.append)
    sender.sequence, sender.timestamp = 0xFFFE, 0xFFFFFF00
    payload = b"".join(numbered(30))
    sender.playback = Playback(payload, "sound")
    repacketiser = Repacketiser(sender, ptime * 8)
    sent = [(tick * repacketiser.step, repacketiser.tick()) for tick in range(4800 // repacketiser.step)]
    packets = [(when, rtp.parse(packet)) for when, packet in sent if packet is not None]
    assert b"".join(packet.payload for _, packet in packets) == payload
    assert [when for when, _ in packets] == list(range(0, 4800, ptime * 8)), "each packet at its own time"
    for number, (when, packet) in enumerate(packets):
        assert len(packet.payload) == ptime * 8
        assert packet.sequence == (0xFFFE + number) & 0xFFFF
        assert packet.timestamp == (0xFFFFFF00 + when) & 0xFFFFFFFF
        assert packet.marker is (number == 0)
    assert done == ["sound"]


@pytest.mark.parametrize("ptime", [10, 30, 40, 50, 60])
def test_a_pause_takes_its_time_and_begins_a_new_spurt(ptime: int) -> None:
    sender = Sender(Law.PCMA, 8, lambda token: None)
    start = sender.timestamp
    repacketiser = Repacketiser(sender, ptime * 8)
    first = repacketiser.tick()
    assert first is not None
    for _ in range(10):
        repacketiser.pause()
    packet = repacketiser.tick()
    assert packet is not None
    parsed = rtp.parse(packet)
    assert parsed.marker
    assert parsed.timestamp == (start + 11 * repacketiser.step) & 0xFFFFFFFF
    assert parsed.sequence == (rtp.parse(first).sequence + 1) & 0xFFFF
    assert parsed.payload == Law.PCMA.silence(ptime * 8)


def test_another_length_begins_when_the_last_packet_is_over_and_loses_nothing() -> None:
    sender = Sender(Law.PCMU, 0, lambda token: None)
    payload = b"".join(numbered(60))
    sender.playback = Playback(payload, "sound")
    start = sender.timestamp
    repacketiser = Repacketiser(sender, 240)
    now, sent = 0, b""
    for ptime in (30, 50, 10, 60, 20):
        repacketiser.resize(ptime * 8)
        for _ in range(8):
            packet = repacketiser.tick()
            if packet is not None:
                parsed = rtp.parse(packet)
                assert (parsed.timestamp - start) & 0xFFFFFFFF == len(sent) <= now
                sent += parsed.payload
            now += repacketiser.step
    assert payload.startswith(sent)
    assert now - 480 < len(sent) <= now + 480


@pytest.mark.parametrize("ptime", [10, 30, 40, 50, 60])
@pytest.mark.parametrize("at_first", [True, False])
def test_packets_of_a_call_leave_at_even_steps(
    paced: MediaLoop, peer: Peer, ptime: int, at_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments: dict[int, list[float]] = {}

    def send(socket: LatchedSocket, data: bytes) -> bool:
        moments.setdefault(len(data) - rtp.HEADER_SIZE, []).append(paced.now)
        return True

    monkeypatch.setattr(LatchedSocket, "send", send)
    side = Side(paced, peer)
    if at_first:
        side.stream.ptime = ptime
    side.stream.start()
    if not at_first:
        until(lambda: moments, what="packets of 20 ms")
        side.stream.ptime = ptime
    until(lambda: len(moments.get(ptime * 8, [])) > 100, what=f"100 packets of {ptime} ms")
    side.stream.stop()
    side.wait_closed()
    assert list(moments) == [ptime * 8] if at_first else [160, ptime * 8]
    assert {round(two - one, 6) for one, two in itertools.pairwise(moments[ptime * 8])} == {ptime / 1000}


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
