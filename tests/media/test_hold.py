"""Hold, resume, and peers that fall silent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench import signals
from tests.media.key_tones import payload as as_payload
from tests.media.key_tones import tones
from tests.media.peer import EVENT_TYPE, Ear, Peer, Side, numbered
from tests.peers.speech import speech
from tests.support import until
from voice.events import Digit, LimitReached, MediaTimeout, PlaybackDone, SilenceReached
from voice.media import rtp
from voice.media.g711 import Law
from voice.media.loop import MediaLoop
from voice.media.receiver import COMFORT_NOISE
from voice.media.recorder import Recorder
from voice.media.rtp import RTPPacket
from voice.media.wav import HEADER_SIZE
from voice.media.writer import SpoolWriter


def test_on_hold_nothing_is_sent_and_what_plays_waits(side: Side, peer: Peer, loop: MediaLoop) -> None:
    peer.say(side.stream, numbered(2))
    payload = b"".join(numbered(100))
    side.stream.play(payload, 1)
    until(lambda: len(peer.audio()) > 1600, what="some of it")
    side.stream.sending = False
    loop.call(lambda: None)
    sent = side.stream.statistics.sent
    until(lambda: len(peer.heard) == sent, what="what was on its way")
    peer.say(side.stream, numbered(15))
    assert side.stream.statistics.sent == sent
    side.stream.sending = True
    side.wait_event(PlaybackDone(1))
    until(lambda: payload in peer.audio(), what="the rest of it, without a gap in the payload")
    packets = [packet for _, packet in tuple(peer.heard)]
    assert [place for place, packet in enumerate(packets) if packet.marker] == [0, sent]
    assert (packets[sent].sequence - packets[sent - 1].sequence) & 0xFFFF == 1
    assert (packets[sent].timestamp - packets[sent - 1].timestamp) & 0xFFFFFFFF > 160


class Clock:
    """Time as a stream sees it, without a loop that runs."""

    def __init__(self, side: Side, loop: MediaLoop, peer: Peer) -> None:
        self.side, self.loop, self.peer, self.now = side, loop, peer, 1000.0

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.move_on(self.now + 1.0)
            self.side.stream.check(self.now)

    def hear(self, payload: bytes) -> None:
        """The peer says this, a packet each 20 ms; the stream is checked each second meanwhile."""
        stream, peer = self.side.stream, self.peer
        for start in range(0, len(payload), 160):
            self.move_on(self.now + 0.02)
            stream._receiver.datagram(peer.packet(payload[start : start + 160], peer.number), self.now)
            peer.number += 1
            if peer.number % 50 == 0:
                stream.check(self.now)

    def move_on(self, now: float) -> None:
        """To this time; what was asked of the stream is done then."""
        self.now = self.loop.now = now
        while not self.loop._commands.empty():
            self.loop._commands.get()()


@pytest.fixture
def clock(peer: Peer) -> Iterator[Clock]:
    loop = MediaLoop()
    side = Side(loop, peer, media_timeout=30)
    side.stream.open()
    yield Clock(side, loop, peer)
    side.stream.stop()


def test_a_peer_that_is_gone_is_told_once(clock: Clock) -> None:
    clock.run(30)
    assert clock.side.events == []
    clock.run(60)
    assert clock.side.events == [MediaTimeout()]


def test_a_peer_that_came_back_can_be_gone_again(clock: Clock, peer: Peer) -> None:
    clock.run(35)
    peer.send(clock.side.stream, peer.packet(bytes(160), 1))
    until(lambda: clock.side.stream.receive() or clock.side.stream.statistics.received, what="the packet")
    clock.run(20)
    assert clock.side.events == [MediaTimeout()]
    clock.run(20)
    assert clock.side.events == [MediaTimeout()] * 2


def test_on_hold_a_peer_may_be_quiet_ten_times_as_long(clock: Clock) -> None:
    clock.run(5)
    clock.side.stream.sending = False
    clock.run(300)
    assert clock.side.events == []
    clock.run(10)
    assert clock.side.events == [MediaTimeout()]


def test_a_long_hold_does_not_end_the_call_when_it_is_taken_back(clock: Clock) -> None:
    clock.side.stream.sending = False
    clock.run(200)
    clock.side.stream.sending = True
    clock.run(29)
    assert clock.side.events == []
    clock.run(10)
    assert clock.side.events == [MediaTimeout()]


def test_a_peer_whose_port_is_closed_does_no_harm(loop: MediaLoop) -> None:
    peer = Peer()
    side = Side(loop, peer)
    side.stream.start()
    peer.say(side.stream, numbered(3))
    side.wait_received(3)
    peer.close()
    sent = side.stream.statistics.sent
    until(lambda: side.stream.statistics.sent > sent + 10, what="packets that nobody takes")
    side.stream.stop()
    side.wait_closed()
    assert side.events == []


@pytest.mark.parametrize("spoken", [50, 0], ids=["after a word", "from the beep on"])
@pytest.mark.parametrize(("kind", "payload"), [(COMFORT_NOISE, b"\x46"), (EVENT_TYPE, b"\x01\x0a\x00\xa0"), (0, b"")])
def test_a_peer_that_sends_packets_without_audio_is_silent(
    clock: Clock, peer: Peer, writer: SpoolWriter, tmp_path: Path, kind: int, payload: bytes, spoken: int
) -> None:
    """Some send comfort noise again and again in a pause, and a key that is held down is packets too."""
    stream, events = clock.side.stream, clock.side.events
    recorder = Recorder(tmp_path / "take.wav", Law.PCMU, writer, 4.0, 60, events.append)
    stream.record(recorder)
    clock.run(1)
    for number in range(spoken):
        stream._receiver.datagram(peer.packet(bytes((number, 255 - number)) * 80, number), clock.now + number * 0.02)
    silent_at = None
    for number in range(spoken, spoken + 8 * 50, 10):
        stream._receiver.datagram(rtp.build(RTPPacket(kind, number, 8000, peer.ssrc, payload)), clock.now)
        if number % 50 == 0:
            clock.run(1)
        if silent_at is None and SilenceReached() in events:
            silent_at = (number - spoken) / 50
    stream._receiver.record(None, clock.now)
    assert silent_at == pytest.approx(4.3, abs=1.1)
    assert MediaTimeout() not in events
    assert recorder.close().duration == pytest.approx(8.0, abs=1.1)


def test_comfort_noise_alone_is_silence_after_a_hold_and_at_another_address(
    clock: Clock, peer: Peer, writer: SpoolWriter, tmp_path: Path
) -> None:
    stream, events = clock.side.stream, clock.side.events

    def hear_noise(seconds: int) -> None:
        for _ in range(seconds):
            stream._receiver.datagram(rtp.build(RTPPacket(COMFORT_NOISE, 1, 8000, peer.ssrc, b"\x46")), clock.now)
            clock.run(1)

    for number, change in enumerate(("hold", "address")):
        recorder = Recorder(tmp_path / f"{number}.wav", Law.PCMU, writer, 4.0, 60, events.append)
        stream.record(recorder)
        clock.hear(speech(2.0))
        if change == "hold":
            stream.sending = False
            hear_noise(20)
            stream.sending = True
        else:
            stream.retarget("127.0.0.1", 9)
        assert events == []
        hear_noise(3)
        assert events == []
        hear_noise(4)
        assert events == [SilenceReached()]
        stream._receiver.record(None, clock.now)
        assert recorder.close().duration == pytest.approx(8.0, abs=0.1)
        events.clear()


def test_the_longest_duration_ends_a_recording_of_comfort_noise(
    clock: Clock, peer: Peer, writer: SpoolWriter, tmp_path: Path
) -> None:
    """Also where silence never does."""
    recorder = Recorder(tmp_path / "take.wav", Law.PCMU, writer, None, 10, clock.side.events.append)
    clock.side.stream.record(recorder)
    for _ in range(12):
        clock.run(1)
        noise = rtp.build(RTPPacket(COMFORT_NOISE, 1, 8000, peer.ssrc, b"\x46"))
        clock.side.stream._receiver.datagram(noise, clock.now)
    assert clock.side.events == [LimitReached()]
    assert recorder.close().duration == 10.0


def test_who_takes_his_time_to_begin_has_no_silence_before_his_first_word(clock: Clock) -> None:
    ear = Ear()
    clock.side.stream.record(ear)
    clock.run(3)
    clock.hear(b"".join(numbered(10)))
    assert ear.heard == b"".join(numbered(10))


def test_a_key_just_before_the_first_word_leaves_no_silence(clock: Clock, peer: Peer) -> None:
    """The last packets of the key that began the recording may come when it has begun."""
    ear = Ear()
    clock.side.stream.record(ear)
    clock.run(1)
    key = rtp.build(RTPPacket(EVENT_TYPE, 0, 8000, peer.ssrc, b"\x01\x8a\x03\x20"))
    clock.side.stream._receiver.datagram(key, clock.now)
    clock.side.stream.check(clock.now + 0.5)
    clock.hear(b"".join(numbered(10)))
    assert ear.heard == b"".join(numbered(10))


SILENCE = Law.PCMU.silence(160)


def recorder_of(clock: Clock, path: Path, writer: SpoolWriter, silence_timeout: float) -> Recorder:
    """Records what the peer of this clock says from now on."""
    recorder = Recorder(path, Law.PCMU, writer, silence_timeout, 60, clock.side.events.append)
    clock.side.stream.record(recorder)
    return recorder


def test_who_paused_before_a_hold_has_the_whole_time_out_after_it(
    clock: Clock, writer: SpoolWriter, tmp_path: Path
) -> None:
    recorder, stream = recorder_of(clock, tmp_path / "take.wav", writer, 5.0), clock.side.stream
    clock.hear(speech(2.0) + SILENCE * 225)
    stream.sending = False
    clock.run(20)
    stream.sending = True
    clock.hear(SILENCE * 100 + speech(2.0))
    assert clock.side.events == []
    clock.hear(SILENCE * 300)
    assert clock.side.events == [SilenceReached()]
    stream._receiver.record(None, clock.now)
    heard = recorder.close().heard
    assert heard.speech_end == pytest.approx((2.0 + 4.5 + 2.0 + 2.0) * 8000, abs=1600)


FAST = 0.006
"""As fast as a stream reads by itself."""
MUSIC = signals.as_sent(signals.scaled(signals.melody(2.0, np.random.default_rng(1), chords=True), -24), Law.PCMU)


def frames_of(payload: bytes) -> list[bytes]:
    """A payload in packets of 20 ms."""
    return [payload[start : start + 160] for start in range(0, len(payload), 160)]


def say(side: Side, peer: Peer, payload: bytes) -> None:
    """The peer says this, faster than life, and it has come."""
    before = side.stream.statistics.received
    peer.say(side.stream, frames_of(payload), FAST)
    side.wait_received(before + len(payload) // 160)


@pytest.mark.parametrize("events", [True, False], ids=["with telephone events", "with keys as tones"])
def test_what_comes_during_a_hold_is_neither_recorded_nor_heard(
    loop: MediaLoop, peer: Peer, writer: SpoolWriter, tmp_path: Path, events: bool
) -> None:
    """A hold by sendonly: the other side may send music, beeps or silence (RFC 3264, section 8.4)."""
    side = Side(loop, peer, events=events)
    side.stream.start()
    recorder = Recorder(tmp_path / "take.wav", Law.PCMU, writer, 4.0, 60, side.events.append)
    side.stream.record(recorder)
    before, after = speech(2.0), speech(2.0, seed=2)
    say(side, peer, before)
    side.stream.sending = False
    say(side, peer, SILENCE * 250 + MUSIC + as_payload(tones("5")))
    if events:
        peer.press(side.stream, 1)
        side.wait_event(Digit("1"))
    side.stream.sending = True
    say(side, peer, after)
    side.stream.stop_recording()
    side.stream.stop()
    side.wait_closed()
    assert side.events == [Digit("1")] * events
    assert recorder.close().duration == 4.0
    assert (tmp_path / "take.wav").read_bytes()[HEADER_SIZE:] == before + after


@pytest.mark.parametrize("events", [True, False], ids=["with telephone events", "with keys as tones"])
def test_a_recording_that_begins_or_ends_on_hold(loop: MediaLoop, peer: Peer, events: bool) -> None:
    side = Side(loop, peer, events=events)
    side.stream.start()
    frames = [b"".join(numbered(10, 10 * turn)) for turn in range(6)]
    first, second, third = Ear(), Ear(), Ear()
    side.stream.record(first)
    say(side, peer, frames[0])
    side.stream.sending = False
    say(side, peer, frames[1])
    side.stream.stop_recording()
    side.stream.record(second)
    say(side, peer, frames[2])
    side.stream.sending = True
    say(side, peer, frames[3])
    side.stream.sending = False
    side.stream.stop_recording()
    side.stream.sending = True
    say(side, peer, frames[4])
    side.stream.record(third)
    say(side, peer, frames[5])
    side.stream.stop()
    side.wait_closed()
    assert (first.heard, second.heard, third.heard) == (frames[0], frames[3], frames[5])
    assert side.events == []


def test_what_is_said_just_before_and_just_after_a_hold_is_recorded_though_it_is_read_later(
    clock: Clock, peer: Peer
) -> None:
    stream, ear = clock.side.stream, Ear()
    frames = numbered(40)
    stream.record(ear)
    clock.move_on(clock.now)

    def send(first: int, last: int) -> None:
        for number in range(first, last):
            peer.send(stream, peer.packet(frames[number], number))

    def read(count: int) -> None:
        until(lambda: stream.receive() or stream.statistics.received == count, what=f"{count} packets")

    # The first one ties the socket to the peer.
    send(0, 1)
    read(1)
    send(1, 10)
    stream.sending = False
    clock.move_on(clock.now + 0.2)
    send(10, 20)
    read(20)
    stream.sending = True
    send(20, 30)
    clock.move_on(clock.now + 0.2)
    send(30, 40)
    read(40)
    assert ear.heard == b"".join(frames[:10] + frames[20:])


def test_a_peer_that_sends_music_on_hold_is_there(clock: Clock) -> None:
    clock.side.stream.sending = False
    for _ in range(175):
        clock.hear(MUSIC)
    assert clock.side.events == []
    clock.run(310)
    assert clock.side.events == [MediaTimeout()]
