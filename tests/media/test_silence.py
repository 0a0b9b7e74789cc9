"""When has a caller stopped speaking? Pauses just short of the time-out, in all kinds of noise."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest

from voice.media import FRAME_SAMPLES, g711, wav
from voice.media.g711 import Law
from voice.media.silence import FRAME_BYTES, SilenceDetector
from voice.prompts import BUILT_IN

Samples = np.ndarray
NAMES = ("test_message", "not_available", "nothing_recorded", "goodbye", "message_too_long")
LANGUAGES = ("en", "es", "fr", "ja", "zh")
TIMEOUTS = (2.0, 3.0, 4.0)
PAUSE_SHORTER_BY = 0.1
END_WITHIN = 0.35
CUT_OFF = -0.15
NORMAL, QUIET = -24, -36


def dbfs(level: float) -> float:
    return 32768 * 10 ** (level / 20)


def frame_levels(samples: Samples, size: int = FRAME_SAMPLES) -> Samples:
    return np.sqrt((samples[: len(samples) // size * size].reshape(-1, size) ** 2).mean(axis=1))


@cache
def speech(name: str, language: str) -> Samples:
    """A prompt from its first to its last sound, at 0 dBFS RMS while it is spoken."""
    samples = np.frombuffer(wav.read_prompt(BUILT_IN / language / f"{name}.wav"), "<i2").astype(float)
    heard = np.nonzero(frame_levels(samples, 80) > 0.02 * frame_levels(samples, 80).max())[0]
    samples = samples[heard[0] * 80 : (heard[-1] + 1) * 80]
    levels = frame_levels(samples)
    spoken = levels[levels > 0.05 * levels.max()]
    return samples * 32768 / np.sqrt((spoken**2).mean())


@cache
def noise(kind: str) -> Samples:
    """30 s at 0 dBFS RMS."""
    count = 30 * 8000
    rng = np.random.default_rng(7)
    samples = rng.standard_normal(count)
    if kind == "pink":
        spectrum = np.fft.rfft(samples)
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        samples = np.fft.irfft(spectrum, count)
    elif kind.startswith("hum"):
        hertz = int(kind.removeprefix("hum"))
        phases = 2 * np.pi * hertz * np.arange(count) / 8000
        samples = np.sin(phases) + 0.5 * np.sin(2 * phases + 1) + 0.33 * np.sin(3 * phases + 2)
    elif kind == "none":
        return np.zeros(count)
    return samples * 32768 / np.sqrt((samples**2).mean())


def as_heard(samples: Samples, law: Law) -> bytes:
    pcm16 = np.clip(samples, -32768, 32767).astype("<i2").tobytes()
    return g711.decode(g711.encode(pcm16, law), law)


def end_of(pcm16: bytes, timeout: float | None) -> float | None:
    """Seconds at which the detector hears the end, or None."""
    detector, start = SilenceDetector(timeout), 0
    while start + FRAME_BYTES <= len(pcm16):
        end = min(len(pcm16) // FRAME_BYTES, start // FRAME_BYTES + min(10, detector.frames_left)) * FRAME_BYTES
        if detector.frames(pcm16[start:end]):
            return end / 16_000
        start = end
    return None


def delays(kind: str, noise_level: float, speech_level: float, law: Law) -> list[float]:
    """Seconds from the last sound to the end, less the time-out; far below zero where a pause cut the caller off.

    Each caller speaks, pauses 0.1 s shorter than the time-out, speaks again, and is silent.
    """
    rng = np.random.default_rng(1)
    found = []
    voices = list(product(NAMES, LANGUAGES))
    for place, (timeout, voice) in enumerate(product(TIMEOUTS, voices)):
        first, second = speech(*voice), speech(*voices[(7 * place + 3) % len(voices)])
        parts = [
            np.zeros(int(rng.integers(800, 8000))),
            first,
            np.zeros(int((timeout - PAUSE_SHORTER_BY) * 8000)),
            second,
        ]
        spoken = np.concatenate(parts) * 10 ** (speech_level / 20)
        # The last 20 s at most, so that a long sentence does not need more noise than there is.
        spoken = spoken[-20 * 8000 :]
        samples = np.concatenate([spoken, np.zeros(int((timeout + 1.5) * 8000))])
        samples = samples + noise(kind)[: len(samples)] * 10 ** (noise_level / 20)
        end = end_of(as_heard(samples, law), timeout)
        found.append(999.0 if end is None else end - len(spoken) / 8000 - timeout)
    return found


# In each of these speech is at least 10 dB above the noise, or the noise is below where voices are.
PROMISED = [
    ("none", -99, NORMAL, Law.PCMU),
    ("none", -99, QUIET, Law.PCMU),
    ("none", -99, QUIET, Law.PCMA),
    ("white", -60, NORMAL, Law.PCMU),
    ("white", -60, QUIET, Law.PCMU),
    ("white", -50, NORMAL, Law.PCMA),
    ("white", -50, QUIET, Law.PCMU),
    ("pink", -40, NORMAL, Law.PCMU),
    ("white", -40, NORMAL, Law.PCMU),
    ("hum50", -40, NORMAL, Law.PCMA),
    ("hum50", -40, QUIET, Law.PCMU),
    ("hum60", -40, NORMAL, Law.PCMU),
    ("hum50", -30, NORMAL, Law.PCMU),
]
# Here it is 4 dB: some of 75 are cut off, and it is known how many. Hum is filtered away.
BELOW = [("hum60", -40, 0), ("white", -40, 6), ("pink", -40, 6)]


@pytest.mark.parametrize(("kind", "noise_level", "speech_level", "law"), PROMISED)
def test_nobody_is_cut_off_and_the_end_is_heard_in_time(
    kind: str, noise_level: float, speech_level: float, law: Law
) -> None:
    found = delays(kind, noise_level, speech_level, law)
    assert [delay for delay in found if delay < CUT_OFF] == []
    assert max(found) <= END_WITHIN


@pytest.mark.parametrize(("kind", "noise_level", "at_most"), BELOW)
def test_few_are_cut_off_where_the_noise_is_nearly_as_loud_as_the_voice(
    kind: str, noise_level: float, at_most: int
) -> None:
    found = delays(kind, noise_level, QUIET, Law.PCMU)
    assert len([delay for delay in found if delay < CUT_OFF]) <= at_most
    assert max(found) <= END_WITHIN


@pytest.mark.parametrize("kind", ["none", "white", "pink", "hum50", "hum60"])
@pytest.mark.parametrize("level", [-60, -40, -30])
def test_a_caller_who_says_nothing_is_heard_as_silence_whatever_the_room(kind: str, level: float) -> None:
    end = end_of(as_heard(noise(kind)[: 8 * 8000] * 10 ** (level / 20), Law.PCMU), 5.0)
    assert end is not None
    assert 5.0 < end <= 5.0 + END_WITHIN + 0.2


@pytest.mark.parametrize("law", Law)
def test_digital_silence_ends_on_time(law: Law) -> None:
    assert end_of(g711.decode(law.silence(8 * 8000), law), 5.0) == pytest.approx(5.28)


def test_without_a_timeout_there_is_no_end() -> None:
    assert end_of(bytes(16_000 * 60), None) is None


def test_speech_is_measured_and_silence_is_not() -> None:
    samples = speech("test_message", "en") * 10 ** (NORMAL / 20)
    detector = SilenceDetector(None)
    pcm16 = as_heard(samples[: len(samples) // 160 * 160], Law.PCMU)
    detector.frames(pcm16)
    heard = detector.speech_seconds
    assert 0.5 < heard / (len(pcm16) / 16_000) <= 1
    detector.frames(bytes(FRAME_BYTES * 500))
    assert detector.speech_seconds <= heard + 0.1


def test_many_frames_at_once_are_heard_as_one_by_one() -> None:
    pcm16 = as_heard(speech("test_message", "en")[: 160 * 400] * 10 ** (NORMAL / 20), Law.PCMU) + bytes(
        FRAME_BYTES * 150
    )
    together, alone = SilenceDetector(2.0), SilenceDetector(2.0)
    for start in range(0, len(pcm16), 10 * FRAME_BYTES):
        block = pcm16[start : start + 10 * FRAME_BYTES]
        one_by_one = [alone.frames(block[at : at + FRAME_BYTES]) for at in range(0, len(block), FRAME_BYTES)]
        assert together.frames(block) == any(one_by_one)
        assert together.speech_seconds == alone.speech_seconds
        assert together.frames_left == alone.frames_left


@pytest.mark.parametrize("spoken_frames", [0, 25])
def test_the_end_never_comes_before_the_frames_that_are_left(spoken_frames: int) -> None:
    detector = SilenceDetector(1.0)
    voice = speech("goodbye", "en")[: spoken_frames * FRAME_SAMPLES] * 10 ** (NORMAL / 20)
    detector.frames(as_heard(voice, Law.PCMU))
    quiet = 0
    while (left := detector.frames_left) > 1:
        assert not detector.frames(bytes(FRAME_BYTES * (left - 1)))
        quiet += left - 1
    assert detector.frames(bytes(FRAME_BYTES))
    assert 1.28 <= round((quiet + 1) * 0.02, 2) <= 1.36


def test_a_pause_that_begins_anew_has_the_whole_time_out_and_forgets_no_word() -> None:
    voice = as_heard(speech("test_message", "en")[: 160 * 60] * 10 ** (NORMAL / 20), Law.PCMU)
    detector, other = SilenceDetector(2.0), SilenceDetector(2.0)
    for each in (detector, other):
        assert not each.frames(voice + bytes(FRAME_BYTES * 80))
    detector.begin_anew()
    assert detector.frames_left == 114
    assert detector.speech_before(1 << 30) == other.speech_before(1 << 30)
    assert (detector.snr, detector.speech_seconds) == (other.snr, other.speech_seconds)
    assert not detector.frames(bytes(FRAME_BYTES * 113))
    assert detector.frames(bytes(FRAME_BYTES))
    # With the next word the time-out is what it was.
    detector.frames(voice)
    assert not detector.frames(bytes(FRAME_BYTES * 80))
    assert detector.frames(bytes(FRAME_BYTES * 60))
