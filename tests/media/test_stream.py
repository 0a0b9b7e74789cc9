"""Streams end to end: real sockets, the real loop, a peer that sends and listens."""

from __future__ import annotations

import itertools
import socket
import threading
from pathlib import Path

import pytest
from pyVoIP.RTP import PayloadType, TransmitType

from tests.media.peer import EVENT_TYPE, HOST, Ear, Peer, Side, call, free_port, numbered
from tests.media.slow_disk import SlowDisk
from tests.support import missing, until
from voice.events import Digit, LimitReached, PlaybackDone, SilenceReached
from voice.media import g711, rtp, wav
from voice.media.g711 import Law
from voice.media.loop import MediaLoop
from voice.media.recorder import Recorder
from voice.media.rtp import RTPPacket
from voice.media.stream import MediaStream
from voice.media.wav import HEADER_SIZE
from voice.media.writer import SpoolWriter
from voice.prompts import BUILT_IN

FAST = 0.004
SPEECH = BUILT_IN / "en" / "test_message.wav"


def frames_of(payload: bytes) -> list[bytes]:
    return [payload[start : start + 160] for start in range(0, len(payload) - 159, 160)]


# -- recording


@pytest.mark.parametrize("law", Law)
def test_a_recording_is_what_was_sent_bit_for_bit(
    loop: MediaLoop, writer: SpoolWriter, tmp_path: Path, law: Law
) -> None:
    payload = g711.encode(wav.read_prompt(SPEECH), law)
    frames = frames_of(payload)
    path = tmp_path / "take.wav"
    with call(loop, law) as (side, peer):
        recorder = Recorder(path, law, writer, None, 60, side.events.append)
        side.stream.record(recorder)
        peer.say(side.stream, frames, FAST)
        side.wait_received(len(frames))
        side.stream.stop_recording()
        result = recorder.close()
        assert side.stream.statistics.lost == 0
    assert path.read_bytes()[HEADER_SIZE:] == payload[: len(frames) * 160]
    assert path.read_bytes()[:HEADER_SIZE] == wav.header(law, len(frames) * 160)
    assert result.duration == len(frames) * 0.02
    assert result.size == path.stat().st_size
    assert 0.4 * result.duration < result.heard.speech <= result.duration


def test_a_hang_up_keeps_what_is_still_in_the_socket(side: Side, peer: Peer) -> None:
    ear = Ear()
    side.stream.record(ear)
    peer.say(side.stream, numbered(10), FAST)
    side.wait_received(10)
    for payload in numbered(3, 10):
        peer.send(side.stream, peer.packet(payload, peer.number))
        peer.number += 1
    side.stream.stop()
    side.wait_closed()
    assert ear.heard == b"".join(numbered(13))


def test_bad_datagrams_before_and_after_the_latch_are_counted_and_no_more(side: Side, peer: Peer) -> None:
    bad = [b"", bytes(5), peer.packet(bytes(1988), 5), rtp.build(RTPPacket(3, 9, 0, 1, bytes(33))), b"\x80" * 3000]
    ear = Ear()
    side.stream.record(ear)
    for data in bad:
        peer.send(side.stream, data)
    until(lambda: side.stream.statistics.invalid == len(bad), what="the bad ones before")
    peer.say(side.stream, numbered(5), FAST)
    for data in bad:
        peer.send(side.stream, data)
    until(lambda: side.stream.statistics.invalid == 2 * len(bad), what="the bad ones after")
    peer.say(side.stream, numbered(5, 5), FAST)
    side.wait_received(10)
    side.stream.stop_recording()
    assert ear.heard == b"".join(numbered(10))
    assert side.events == []


def test_silence_and_the_longest_duration_are_told_once(
    loop: MediaLoop, writer: SpoolWriter, tmp_path: Path, side: Side, peer: Peer
) -> None:
    recorder = Recorder(tmp_path / "take.wav", Law.PCMU, writer, 0.5, 1.0, side.events.append)
    side.stream.record(recorder)
    peer.say(side.stream, [Law.PCMU.silence(160)] * 60, FAST)
    side.wait_received(60)
    side.stream.stop_recording()
    assert side.events == [SilenceReached(), LimitReached()]
    result = recorder.close()
    assert (result.duration, result.heard.speech) == (1.0, 0.0)
    assert (tmp_path / "take.wav").read_bytes() == wav.header(Law.PCMU, 8000) + Law.PCMU.silence(8000)


def test_a_stuck_disk_stalls_neither_the_audio_nor_another_call(
    loop: MediaLoop, writer: SpoolWriter, tmp_path: Path, side: Side, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    stuck = Recorder(tmp_path / "stuck.wav", Law.PCMU, writer, None, 60, side.events.append)
    disk.hold(stuck._file)
    side.stream.record(stuck)
    peer.say(side.stream, numbered(120), FAST)
    side.wait_received(120)
    until(lambda: disk.waiting, what="the write that gets no answer")
    with call(loop) as (other, caller):
        recorder = Recorder(tmp_path / "other.wav", Law.PCMU, writer, None, 60, other.events.append)
        other.stream.record(recorder)
        caller.say(other.stream, numbered(60), FAST)
        other.wait_received(60)
        other.stream.stop_recording()
        assert recorder.close().duration == 1.2
    sent = side.stream.statistics.sent
    until(lambda: side.stream.statistics.sent > sent + 5, what="packets of the call whose disk is stuck")
    disk.go.set()
    side.stream.stop_recording()
    assert stuck.close().duration == 2.4
    assert (tmp_path / "stuck.wav").read_bytes()[HEADER_SIZE:] == b"".join(numbered(120))


# -- sending


def test_playback_is_sent_in_order_and_silence_around_it(side: Side, peer: Peer) -> None:
    payload = b"".join(numbered(25)) + b"\x11" * 70
    until(lambda: peer.heard, what="silence before")
    side.stream.play(payload, "first")
    side.wait_event(PlaybackDone("first"))
    until(lambda: payload in peer.audio(), what="the playback")
    audio, packets = peer.audio(), [packet for _, packet in tuple(peer.heard)]
    before, after = audio.split(payload)
    assert set(before) == set(after[:90]) == {0xFF}
    assert [packet.marker for packet in packets] == [True] + [False] * (len(packets) - 1)
    assert {packet.ssrc for packet in packets} == {packets[0].ssrc}
    for one, two in itertools.pairwise(packets):
        assert (two.sequence - one.sequence) & 0xFFFF == 1
        assert (two.timestamp - one.timestamp) & 0xFFFFFFFF == 160


@pytest.mark.alone
def test_packets_go_out_at_a_steady_pace(side: Side, peer: Peer) -> None:
    until(lambda: len(peer.heard) >= 201, what="201 packets")
    moments = [moment for moment, _ in peer.heard[:201]]
    assert 3.9 < moments[-1] - moments[0] < 4.1
    gaps = [two - one for one, two in itertools.pairwise(moments)]
    assert sum(0.01 < gap < 0.03 for gap in gaps) >= 0.95 * len(gaps)


def test_pcma_is_played_as_pcma(loop: MediaLoop) -> None:
    with call(loop, Law.PCMA) as (side, peer):
        side.stream.play(b"\x2a" * 1600, 1)
        until(lambda: b"\x2a" * 1600 + b"\xd5" * 160 in peer.audio(), what="tone and silence")
        assert {packet.payload_type for _, packet in tuple(peer.heard)} == {8}


def test_play_replaces_what_plays_and_stop_ends_it(side: Side, peer: Peer) -> None:
    side.stream.play(b"\x01" * 80_000, 1)
    until(lambda: b"\x01" in peer.audio(), what="the first")
    side.stream.play(b"\x02" * 1600, 2)
    side.wait_event(PlaybackDone(2))
    side.stream.play(b"\x03" * 80_000, 3)
    until(lambda: b"\x03" in peer.audio(), what="the third")
    side.stream.stop_playback()
    until(lambda: peer.audio().endswith(b"\xff" * 320), what="silence")
    assert side.events == [PlaybackDone(2)]


def test_starting_again_changes_nothing(loop: MediaLoop, side: Side, peer: Peer) -> None:
    """pyVoIP's gen_ms() starts again with each re-INVITE."""
    threads = threading.active_count()
    for _ in range(3):
        side.stream.start()
    until(lambda: len(peer.heard) >= 20, what="20 packets")
    assert len(loop) == 1
    assert threading.active_count() == threads
    sequences = [packet.sequence for _, packet in tuple(peer.heard)]
    assert len(set(sequences)) == len(sequences)


def test_after_stop_nothing_starts_and_the_port_is_free(loop: MediaLoop, peer: Peer) -> None:
    side = Side(loop, peer)
    side.stream.start()
    until(lambda: peer.heard, what="a packet")
    side.stream.stop()
    side.stream.stop()
    side.wait_closed()
    side.stream.start()
    side.stream.retarget(HOST, 9)
    loop.call(lambda: None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, side.stream.inPort))
    assert side.closed == 1


def test_a_stream_that_never_started_gives_its_port_back(loop: MediaLoop, peer: Peer) -> None:
    side = Side(loop, peer)
    side.stream.open()
    side.stream.stop()
    assert side.closed == 1


def test_a_port_that_is_taken_is_an_os_error(loop: MediaLoop, peer: Peer) -> None:
    side = Side(loop, peer)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, side.stream.inPort))
        with pytest.raises(OSError, match="in use"):
            side.stream.start()
    side.stream.stop()
    assert side.closed == 1


def test_without_g711_there_is_no_stream(loop: MediaLoop) -> None:
    with pytest.raises(ValueError, match=r"no G\.711"):
        MediaStream(
            {101: PayloadType.EVENT}, HOST, 1, HOST, 2, TransmitType.SENDRECV, loop=loop, on_event=lambda event: None
        )


def test_ipv6(loop: MediaLoop) -> None:
    try:
        free_port("::1")
    except OSError:
        missing("this machine has no IPv6")
    with call(loop, host="::1") as (side, peer):
        ear = Ear()
        side.stream.record(ear)
        peer.say(side.stream, numbered(10), FAST)
        side.wait_received(10)
        until(lambda: len(peer.heard) > 5, what="packets")
        side.stream.retarget("::1", peer.port + 1)
        peer.number = 0
        peer.say(side.stream, numbered(10), FAST)
        side.wait_received(20)
        side.stream.stop_recording()
    assert ear.heard == b"".join(numbered(10)) * 2


# -- keys


def test_keys_are_told_in_order_and_once(side: Side, peer: Peer) -> None:
    peer.say(side.stream, numbered(3), FAST)
    for key in (1, 1, 10, 11):
        peer.press(side.stream, key)
        peer.say(side.stream, numbered(2), FAST)
    side.wait_event(Digit("#"))
    assert side.events == [Digit("1"), Digit("1"), Digit("*"), Digit("#")]


def test_a_key_told_by_info_too_is_one_key(side: Side, peer: Peer, loop: MediaLoop) -> None:
    peer.press(side.stream, 5)
    side.wait_event(Digit("5"))
    side.stream.digit("5")
    side.stream.digit("6")
    side.wait_event(Digit("6"))
    assert side.events == [Digit("5"), Digit("6")]


def test_a_key_held_for_seconds_and_told_by_info_when_it_is_let_go_is_one_key(side: Side, peer: Peer) -> None:
    clock = [0.0]
    side.stream._keys._now = lambda: clock[0]
    for step in range(4):
        clock[0] = float(step)
        packet = RTPPacket(
            peer.event_type, peer.number, 0, peer.ssrc, bytes((5, 10)) + (step * 8000).to_bytes(2, "big")
        )
        peer.send(side.stream, rtp.build(packet))
        peer.number += 1
        side.wait_received(peer.number)
    clock[0] += 1.0
    side.stream.digit("5")
    side.stream.digit("6")
    side.wait_event(Digit("6"))
    assert side.events == [Digit("5"), Digit("6")]


# -- other payload types in the middle of a call


def test_renumbered_audio_and_keys_are_heard_and_sent_and_so_are_packets_on_their_way(side: Side, peer: Peer) -> None:
    ear = Ear()
    side.stream.record(ear)
    peer.say(side.stream, numbered(5), FAST)
    side.wait_received(5)
    side.stream.renumber(97, 98)
    until(lambda: peer.heard and peer.heard[-1][1].payload_type == 97, what="packets with the new number")
    peer.say(side.stream, numbered(2, 5), FAST)
    peer.press(side.stream, 1)
    peer.payload_type, peer.event_type = 97, 98
    peer.say(side.stream, numbered(5, 7), FAST)
    peer.press(side.stream, 2)
    side.wait_event(Digit("2"))
    side.stream.stop_recording()
    assert side.events == [Digit("1"), Digit("2")]
    assert ear.heard == b"".join(numbered(7)) + Law.PCMU.silence(6 * 160) + b"".join(numbered(5, 7))
    assert side.stream.statistics.invalid == 0
    packets = [packet for _, packet in tuple(peer.heard)]
    assert len({packet.ssrc for packet in packets}) == 1
    assert {(two.sequence - one.sequence) & 0xFFFF for one, two in itertools.pairwise(packets)} == {1}


def test_numbers_that_are_exchanged_mean_what_was_said_last(side: Side, peer: Peer) -> None:
    ear = Ear()
    side.stream.record(ear)
    side.stream.renumber(EVENT_TYPE, 0)
    peer.payload_type, peer.event_type = EVENT_TYPE, 0
    until(lambda: peer.heard and peer.heard[-1][1].payload_type == EVENT_TYPE, what="packets with the new number")
    peer.say(side.stream, numbered(3), FAST)
    peer.press(side.stream, 7)
    side.wait_event(Digit("7"))
    side.stream.stop_recording()
    assert ear.heard == b"".join(numbered(3))
