"""A line that goes into a tone is known by it, in eight countries; nothing that people say, sing or play is."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from bench import signals, silence, synthesised
from tests.support import missing
from voice.events import Event, LimitReached, ToneReached
from voice.media import FRAME_SAMPLES
from voice.media.g711 import Law
from voice.media.listener import Listener
from voice.media.recorder import Recorder
from voice.media.writer import SpoolWriter

PROMISED_SECONDS = 4.0


@pytest.mark.parametrize("name", [*signals.TONES, *signals.INFORMATION])
def test_a_line_that_goes_into_a_tone_is_known_soon_however_loud_and_in_noise(name: str) -> None:
    found = silence.lines(name, levels=(-12.0, -35.0))
    assert found.missed == 0
    assert max(found.delays) <= PROMISED_SECONDS


def test_no_speech_no_song_no_tune_and_no_ringing_is_a_tone() -> None:
    heard = [(name, silence.listen(samples, law, None).event) for name, samples, law in silence.no_tones(noises=())]
    assert len(heard) > 200
    assert [name for name, event in heard if event is not None] == []


@pytest.mark.parametrize("kind", ["babble", "music"])
def test_people_and_music_behind_a_speaker_are_no_tone(kind: str) -> None:
    noisy = silence.no_tones(noises=((kind, -32.0),))
    heard = [(name, silence.listen(samples, law, None).event) for name, samples, law in islice(noisy, 40)]
    assert [name for name, event in heard if event is not None] == []


@pytest.mark.parametrize("at_a_time", [1, 2, 7, 50])
@pytest.mark.parametrize("name", ["us busy", "fr dial", "sit"])
def test_it_does_not_matter_how_many_frames_are_heard_at_a_time(name: str, at_a_time: int) -> None:
    speech = signals.scaled(signals.speech("goodbye", "en"), -24)
    line = signals.scaled(signals.tone(name, 6.0), -20)
    payload = signals.as_sent(np.concatenate([speech, line]), Law.PCMA)
    listener, step = Listener(Law.PCMA, None), at_a_time * FRAME_SAMPLES
    events = [listener.hear(payload[at : at + step]) for at in range(0, len(payload), step)]
    assert [event for event in events if event is not None] == [ToneReached(name.rsplit(maxsplit=1)[-1])]
    start = listener.heard().tone_start
    assert start is not None
    assert abs(start - len(speech)) <= 2 * FRAME_SAMPLES


@pytest.mark.parametrize("name", ["us busy", "cn busy", "de congestion"])
def test_a_tone_with_lost_packets_is_a_tone(name: str) -> None:
    payload = bytearray(signals.as_sent(signals.scaled(signals.tone(name, 12.0), -20), Law.PCMU))
    for frame in np.random.default_rng(5).choice(len(payload) // FRAME_SAMPLES, len(payload) // FRAME_SAMPLES // 50):
        payload[frame * FRAME_SAMPLES : (frame + 1) * FRAME_SAMPLES] = Law.PCMU.silence(FRAME_SAMPLES)
    listener = Listener(Law.PCMU, None)
    events = [listener.hear(bytes(payload[at : at + 160])) for at in range(0, len(payload), 160)]
    assert ToneReached("busy") in events


def test_the_tone_of_a_call_that_waits_is_no_end() -> None:
    """Germany's: 425 Hz, twice 0.2 s, then 5 s of nothing."""
    beep = signals.tone("de busy", 0.2)
    samples = np.concatenate([beep, np.zeros(1600), beep, np.zeros(40_000)] * 3)
    assert silence.listen(signals.scaled(samples, -20), Law.PCMU, None).event is None


def test_speech_is_counted_up_to_the_tone() -> None:
    """A busy tone has bursts that a detector of voices takes for one: alone it must not make a message."""
    line = signals.as_sent(signals.scaled(signals.tone("us busy", 6.0), -20), Law.PCMU)
    listener = Listener(Law.PCMU, None)
    for start in range(0, len(line), 800):
        listener.hear(line[start : start + 800])
    assert listener.heard().tone_start == 0
    assert listener.heard().speech == 0


def test_a_recorder_tells_the_tone_once_also_where_silence_is_no_end(tmp_path: Path, writer: SpoolWriter) -> None:
    events: list[Event] = []
    recorder = Recorder(tmp_path / "take.wav", Law.PCMU, writer, None, 15.0, events.append)
    line = signals.as_sent(signals.scaled(signals.tone("us busy", 20.0), -20), Law.PCMU)
    for start in range(0, len(line), 160):
        recorder.frame(line[start : start + 160])
    assert events == [ToneReached("busy"), LimitReached()]
    recorder.close()


@pytest.mark.parametrize(("kind", "noise", "speech"), silence.CONDITIONS)
@pytest.mark.parametrize("others", [False, True], ids=["the prompts", "other voices"])
def test_at_10_db_nobody_is_cut_off_and_the_end_comes_in_time(
    kind: str, noise: float, speech: float, others: bool
) -> None:
    if others and not synthesised.is_installed():
        missing("eSpeak NG (Debian: espeak-ng) is not installed")
    found = silence.in_noise(kind, noise, speech, 6, synthesised.voices() if others else None)
    assert (found.cut_off, found.late) == (0, 0)
