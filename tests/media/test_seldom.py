"""A recording that is read seldom ends as soon as one that is read often: silence, a tone, the longest duration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import signals
from voice.events import Event, LimitReached, SilenceReached, ToneReached
from voice.media import FRAME_SAMPLES, SAMPLE_RATE
from voice.media.g711 import Law
from voice.media.listener import Listener
from voice.media.recorder import Recorder
from voice.media.together import SELDOM
from voice.media.writer import SpoolWriter

TIMEOUT_SECONDS = 2.0


def line(*parts: signals.Samples) -> bytes:
    """What comes behind a short sentence, as it is sent."""
    return signals.as_sent(np.concatenate([_sentence(), *parts]), Law.PCMU)


def _sentence() -> signals.Samples:
    return signals.scaled(signals.speech("goodbye", "en"), -24)


def quiet(seconds: float) -> signals.Samples:
    return np.zeros(round(seconds * SAMPLE_RATE))


def ended_at(recorder: Recorder, events: list[Event], payload: bytes, seldom: bool) -> int:
    """How many packets had come when the first event was told: it is told of what is due when the line is visited."""
    waiting, since = b"", 0
    for packet in range(len(payload) // FRAME_SAMPLES):
        waiting += payload[packet * FRAME_SAMPLES : (packet + 1) * FRAME_SAMPLES]
        since += 1
        if since >= (SELDOM if seldom and recorder.is_patient else 1):
            since = 0
            if len(waiting) >= recorder.due:
                recorder.frame(waiting)
                waiting = b""
                if events:
                    return packet + 1
    pytest.fail("nothing has ended it")


@pytest.mark.parametrize("offset", range(SELDOM))
@pytest.mark.parametrize(
    ("behind", "longest", "event"),
    [
        ((quiet(6.0),), 60.0, SilenceReached()),
        ((quiet(1.0), _sentence(), quiet(6.0)), 60.0, SilenceReached()),
        ((signals.scaled(signals.tone("us busy", 6.0), -20),), 60.0, ToneReached("busy")),
        ((signals.scaled(signals.tone("fr dial", 6.0), -20),), 60.0, ToneReached("dial")),
        ((_sentence(),) * 9, 5.0, LimitReached()),
    ],
    ids=["silence", "a second sentence", "a busy tone", "a dial tone", "the longest duration"],
)
def test_it_ends_as_soon(
    tmp_path: Path,
    writer: SpoolWriter,
    behind: tuple[signals.Samples, ...],
    longest: float,
    event: Event,
    offset: int,
) -> None:
    """offset: packets by which the visits lie otherwise."""
    payload = line(*behind)[offset * FRAME_SAMPLES :]
    ends = []
    for seldom in (False, True):
        events: list[Event] = []
        path = tmp_path / f"{seldom}.wav"
        recorder = Recorder(path, Law.PCMU, writer, TIMEOUT_SECONDS, longest, events.append)
        ends.append(ended_at(recorder, events, payload, seldom))
        recorder.close()
        assert events == [event]
    assert 0 <= ends[1] - ends[0] <= SELDOM


def test_nobody_is_patient_near_the_end_nor_where_a_tone_may_have_begun() -> None:
    sentence = line()
    sentence = sentence[: len(sentence) // FRAME_SAMPLES * FRAME_SAMPLES]
    listener = Listener(Law.PCMU, TIMEOUT_SECONDS)
    assert listener.hear(sentence) is None
    assert listener.is_patient
    silent = Law.PCMU.silence(FRAME_SAMPLES)
    for _ in range(round(TIMEOUT_SECONDS * SAMPLE_RATE) // FRAME_SAMPLES):
        assert listener.hear(silent) is None
    assert not listener.is_patient, "silence is told soon"
    listener = Listener(Law.PCMU, None)
    assert listener.hear(sentence) is None
    assert listener.is_patient, "where silence is no end nothing is near"
    assert listener.hear(signals.as_sent(signals.scaled(signals.tone("us busy", 0.6), -20), Law.PCMU)) is None
    assert not listener.is_patient, "it may be a tone"
