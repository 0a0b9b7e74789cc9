"""Keys as tones: found in every condition that ITU-T Q.24 knows, and never in speech."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media.key_tones import ALL, payload, tones
from tests.media.peer import Ear, Peer, Side
from tests.peers.speech import speech
from voice.events import Digit
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.media.inband import KeyTonesSink
from voice.media.loop import MediaLoop
from voice.prompts import BUILT_IN

FAST = 0.004


class Keys:
    """What the detector tells of a payload in frames of `size` bytes; lost: numbers of frames that never came."""

    def __init__(self, law: Law = Law.PCMU) -> None:
        self.told, self.held = "", ""
        self.law = law
        self.sink = KeyTonesSink(law, self._key, self._goes_on)

    def hear(self, data: bytes, size: int = 160, lost: frozenset[int] = frozenset()) -> str:
        for number, start in enumerate(range(0, len(data), size)):
            if number in lost:
                self.sink.lost(size)
            self.sink.frame(self.law.silence(size) if number in lost else data[start : start + size])
        return self.told

    def _key(self, key: str) -> None:
        self.told += key

    def _goes_on(self, key: str) -> None:
        self.held += key


@pytest.mark.parametrize("level", [-30, -15, -3])
@pytest.mark.parametrize("noise", [None, 15])
def test_tones_of_40_ms_with_twist_and_beside_their_frequency(level: float, noise: float | None) -> None:
    beside = (0.0, 0.0), (0.015, 0.015), (-0.015, -0.015), (0.015, -0.015), (-0.015, 0.015)
    for seed, (twist, detuned) in enumerate(product((-8, 0, 8), beside)):
        sound = tones(ALL, level=level, noise=noise, twist=twist, detuned=detuned, seed=seed)
        assert Keys().hear(payload(sound)) == ALL, (twist, detuned)


@pytest.mark.parametrize("law", Law)
@pytest.mark.parametrize("size", [80, 160, 240, 320, 480])
def test_packets_of_any_length_and_both_laws(law: Law, size: int) -> None:
    keys = "1123#**0ABCD"
    assert Keys(law).hear(payload(tones(keys, on=0.07, off=0.05), law), size) == keys


def test_nothing_that_the_product_says_is_a_key() -> None:
    for path in sorted(BUILT_IN.glob("*/*.wav")):
        sound = np.frombuffer(wav.read_prompt(path), "<i2")
        for gain in (1.0, 0.2):
            data = g711.encode((sound * gain).astype("<i2").tobytes(), Law.PCMU)
            assert Keys().hear(data) == "", (path, gain)


def test_speech_of_other_voices_is_no_key() -> None:
    """The prompts slower and faster, which makes other voices of them, and two minutes of made-up speech."""
    for path in sorted(BUILT_IN.glob("*/test_message.wav")):
        sound = np.frombuffer(wav.read_prompt(path), "<i2").astype(float)
        for speed in (0.7, 0.85, 1.2, 1.4):
            other = np.interp(np.arange(0, len(sound) - 1, speed), np.arange(len(sound)), sound)
            assert Keys().hear(payload(other)) == "", (path, speed)
    for seed in range(12):
        assert Keys().hear(speech(10.0, seed)) == "", seed


@pytest.mark.parametrize("level", [-40, -20, -6])
def test_noise_and_single_tones_are_no_keys(level: float) -> None:
    chance = np.random.default_rng(1)
    sound = chance.standard_normal(40_000) * 32768 * 10 ** (level / 20)
    assert Keys().hear(payload(np.clip(sound, -32768, 32767))) == ""
    time = np.arange(8000) / 8000
    for hertz in (350, 425, 440, 480, 620, 697, 950, 1000, 1400, 1633, 1800, 2100):
        tone = np.sin(2 * np.pi * hertz * time) * 32768 * 10 ** (level / 20)
        assert Keys().hear(payload(tone + np.roll(tone, 7) * 0.1)) == "", hertz


def test_a_long_press_is_one_key_and_is_told_to_go_on() -> None:
    keys = Keys()
    assert keys.hear(payload(tones("5", on=3.0))) == "5"
    assert 10 < len(keys.held) < 30
    assert keys.hear(payload(tones("5", on=0.1))) == "55"


@pytest.mark.parametrize("share", [0.01, 0.05])
def test_lost_packets_neither_lose_nor_double_a_key(share: float) -> None:
    keys = ALL * 6
    data = payload(tones(keys, on=0.1, off=0.1))
    for seed in range(3):
        chance = random.Random(seed)
        lost = frozenset(number for number in range(len(data) // 160) if chance.random() < share)
        assert Keys().hear(data, lost=lost) == keys, seed


@given(st.lists(st.tuples(st.binary(max_size=600), st.booleans()), max_size=40))
@settings(max_examples=50)
def test_no_audio_is_a_fault(pieces: list[tuple[bytes, bool]]) -> None:
    keys = Keys()
    for data, lost in pieces:
        if lost:
            keys.sink.lost(len(data))
        keys.sink.frame(data)
    assert set(keys.told) <= set(ALL)


# -- in a stream


@pytest.fixture
def silent_side(loop: MediaLoop, peer: Peer):
    """A side whose peer sends no telephone events."""
    side = Side(loop, peer, events=False)
    side.stream.start()
    yield side
    side.stream.stop()
    side.wait_closed()


def frames(keys: str, on: float = 0.1) -> list[bytes]:
    data = payload(tones(keys, on=on, off=0.1))
    return [data[start : start + 160] for start in range(0, len(data), 160)]


def test_keys_are_told_with_and_without_a_recording_which_keeps_the_audio(silent_side: Side, peer: Peer) -> None:
    stream = silent_side.stream
    peer.say(stream, frames("12"), FAST)
    silent_side.wait_event(Digit("2"))
    silent_side.wait_received(peer.number)
    ear = Ear()
    stream.record(ear)
    said = frames("3#")
    peer.say(stream, said, FAST)
    silent_side.wait_event(Digit("#"))
    silent_side.wait_received(peer.number)
    stream.stop_recording()
    assert b"".join(said) == ear.heard
    peer.say(stream, frames("4"), FAST)
    silent_side.wait_event(Digit("4"))
    assert silent_side.events == [Digit(key) for key in "123#4"]


def test_a_key_told_by_info_when_it_is_let_go_is_one_key(silent_side: Side, peer: Peer) -> None:
    peer.say(silent_side.stream, frames("5", on=1.5), FAST)
    silent_side.wait_event(Digit("5"))
    silent_side.wait_received(peer.number)
    silent_side.stream.digit("5")
    silent_side.stream.digit("6")
    silent_side.wait_event(Digit("6"))
    assert silent_side.events == [Digit("5"), Digit("6")]


def test_where_telephone_events_are_agreed_tones_are_audio(side: Side, peer: Peer) -> None:
    peer.say(side.stream, frames("12"), FAST)
    side.wait_received(peer.number)
    peer.press(side.stream, 7)
    side.wait_event(Digit("7"))
    assert side.events == [Digit("7")]


def test_tones_are_listened_to_from_when_events_are_agreed_no_more(side: Side, peer: Peer) -> None:
    side.stream.renumber(0, None)
    peer.say(side.stream, frames("9"), FAST)
    side.wait_event(Digit("9"))
    side.stream.renumber(0, 101)
    peer.say(side.stream, frames("1"), FAST)
    peer.press(side.stream, 2)
    side.wait_event(Digit("2"))
    assert side.events == [Digit("9"), Digit("2")]
