"""Playback from an offset, its pause, and where it stands; and a menu that hears who speaks."""

from __future__ import annotations

import pytest

from tests.media.peer import Ear, Peer, Side, numbered
from tests.support import until
from voice.events import Digit, PlaybackDone, Spoke
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.prompts import BUILT_IN

PAYLOAD = b"".join(numbered(50))
FAST = 0.004


@pytest.mark.parametrize("start", [1600, 1600 + 77, len(PAYLOAD) - 1])
def test_playback_begins_at_any_sample(side: Side, peer: Peer, start: int) -> None:
    side.stream.play(PAYLOAD, 1, start)
    side.wait_event(PlaybackDone(1))
    until(lambda: PAYLOAD[start:] in peer.audio(), what="the rest of it")
    assert PAYLOAD[:1600] not in peer.audio()
    assert side.stream.played_samples == len(PAYLOAD)


def test_a_start_behind_the_end_is_the_end(side: Side) -> None:
    side.stream.play(PAYLOAD, 1, len(PAYLOAD) + 8000)
    side.wait_event(PlaybackDone(1))
    assert side.stream.played_samples == len(PAYLOAD)


def test_a_pause_loses_nothing(side: Side, peer: Peer) -> None:
    side.stream.play(PAYLOAD, 1)
    until(lambda: side.stream.played_samples > 1600, what="the playback to begin")
    side.stream.stop_playback()
    # The packet that was being made when we said so is still sent.
    side.stream._loop.call(lambda: None)
    stands = side.stream.played_samples
    until(lambda: peer.audio().endswith(b"\xff" * 1600), what="silence")
    assert side.stream.played_samples == stands < len(PAYLOAD)
    side.stream.play(PAYLOAD, 2, stands)
    side.wait_event(PlaybackDone(2))
    until(lambda: PAYLOAD[stands:] in peer.audio(), what="the rest of it")
    assert PAYLOAD[:stands] in peer.audio()
    assert side.events == [PlaybackDone(2)]


def test_nothing_has_played_yet(side: Side) -> None:
    side.stream.stop_playback()
    assert side.stream.played_samples == 0


def spoken() -> list[bytes]:
    payload = g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav"), Law.PCMU)[:16_000]
    payload += Law.PCMU.silence(16_000)
    return [payload[start : start + 160] for start in range(0, len(payload), 160)]


def test_who_speaks_is_heard_where_that_is_asked_for(side: Side, peer: Peer) -> None:
    peer.say(side.stream, spoken(), FAST)
    assert side.events == []
    side.stream.hear_speech(True)
    peer.say(side.stream, spoken(), FAST)
    side.wait_event(Spoke())
    side.stream.hear_speech(False)
    peer.say(side.stream, spoken(), FAST)
    peer.press(side.stream, 5)
    side.wait_event(Digit("5"))
    assert side.events == [Spoke(), Digit("5")]


def test_a_recording_is_not_disturbed_by_ears(side: Side, peer: Peer) -> None:
    ear = Ear()
    side.stream.hear_speech(True)
    side.stream.record(ear)
    side.stream.hear_speech(True)
    side.stream.hear_speech(False)
    peer.say(side.stream, numbered(5), FAST)
    until(lambda: ear.heard == b"".join(numbered(5)), what="the recording")
