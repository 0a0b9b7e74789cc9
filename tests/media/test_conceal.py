"""What stands for lost packets: as long as they were, without clicks, more like speech than silence is."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.peers.speech import samples, speech
from voice.events import Event, SilenceReached
from voice.media import g711, wav
from voice.media.conceal import CONTEXT, FADED, REPAIRED_TOGETHER, Concealer, conceal
from voice.media.g711 import Law
from voice.media.recorder import Recorder
from voice.media.wav import HEADER_SIZE
from voice.media.writer import SpoolWriter
from voice.prompts import BUILT_IN

SPOKEN = sorted(BUILT_IN.glob("*/*.wav"))


def voiced(hertz: float, count: int, law: Law = Law.PCMU) -> bytes:
    """A steady vowel."""
    time = np.arange(count) / 8000
    sound = sum(np.sin(2 * np.pi * hertz * n * time) * 4000 / n for n in range(1, 6))
    return g711.encode(sound.astype("<i2").tobytes(), law)


@given(st.binary(max_size=400), st.integers(0, 1000), st.binary(max_size=400), st.sampled_from(list(Law)))
def test_whatever_stands_around_a_gap_it_is_filled_to_the_sample(
    before: bytes, count: int, after: bytes, law: Law
) -> None:
    assert len(conceal(before, count, after, law)) == count


@pytest.mark.parametrize("law", Law)
@pytest.mark.parametrize("hertz", [70, 110, 180, 240])
def test_a_steady_voice_goes_on(law: Law, hertz: float) -> None:
    whole = voiced(hertz, 800, law)
    filled = samples(conceal(whole[:320], 160, whole[480:], law), law)
    wanted = samples(whole[320:480], law)
    assert np.sum((filled - wanted) ** 2) < 0.15 * np.sum(wanted**2)


def test_nothing_before_and_nothing_after_is_silence() -> None:
    assert conceal(b"", 160, b"", Law.PCMA) == Law.PCMA.silence(160)
    assert conceal(Law.PCMU.silence(CONTEXT), 320, Law.PCMU.silence(CONTEXT), Law.PCMU) == Law.PCMU.silence(320)


def test_a_long_gap_fades_within_60_ms_and_rises_at_its_end() -> None:
    whole = voiced(120, CONTEXT)
    filled = samples(conceal(whole, 8000, whole, Law.PCMU))
    assert np.max(np.abs(filled[:80])) > 4000
    assert not np.any(filled[FADED:-80])
    assert np.max(np.abs(filled[-20:])) > 2000
    assert not np.any(samples(conceal(whole, 8000, b"", Law.PCMU))[FADED:])


@pytest.mark.parametrize("lost_together", [1, 3])
def test_at_5_percent_loss_it_is_nearer_to_the_speech_than_silence_and_clicks_less(lost_together: int) -> None:
    """Over all that the product itself says. Per lost gap: log-spectral distance, and the steps at its two edges."""
    chance, size = random.Random(5), 160 * lost_together
    distance: dict[str, list[float]] = {"concealed": [], "silent": []}
    click: dict[str, list[float]] = {"concealed": [], "silent": []}
    for path in SPOKEN:
        payload = g711.encode(wav.read_prompt(path), Law.PCMU)
        sound = samples(payload)
        for start in range(480, len(payload) - size - CONTEXT, 160):
            true = sound[start : start + size]
            loudness = float(np.sqrt(np.mean(true**2)))
            if chance.random() >= 0.05 or loudness < 300:
                continue
            end = start + size
            filled = conceal(payload[start - CONTEXT : start], size, payload[end : end + CONTEXT], Law.PCMU)
            for name, sounds in (("concealed", samples(filled)), ("silent", np.zeros(size))):
                distance[name].append(float(np.sqrt(np.mean((_spectrum(true) - _spectrum(sounds)) ** 2))))
                bends = np.abs(np.diff(np.concatenate((sound[start - 2 : start], sounds, sound[end : end + 2])), 2))
                click[name].append(max(np.max(bends[:3]), np.max(bends[-3:])) / loudness)
    assert len(distance["silent"]) > 150
    assert np.mean(distance["concealed"]) < 0.4 * np.mean(distance["silent"])
    assert np.mean(click["concealed"]) < 0.7 * np.mean(click["silent"])


def _spectrum(sound: np.ndarray) -> np.ndarray:
    """dB, over a floor of about -60 dBFS."""
    return 10 * np.log10(np.abs(np.fft.rfft(sound[:160] * np.hanning(160))) ** 2 + 1e3)


# -- in a recording


def record(
    path: Path, writer: SpoolWriter, payload: bytes, lost: set[int], timeout: float | None = None
) -> list[Event]:
    """Record frames of 20 ms, of which some are lost; the events that came of it."""
    events: list[Event] = []
    recorder = Recorder(path, Law.PCMU, writer, timeout, 60, events.append)
    for number in range(len(payload) // 160):
        if events:
            break
        if number in lost:
            recorder.lost(160)
        recorder.frame(Law.PCMU.silence(160) if number in lost else payload[number * 160 : number * 160 + 160])
    recorder.close()
    return events


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_audio_that_came_stays_bit_for_bit(tmp_path: Path, writer: SpoolWriter, share: float) -> None:
    chance = random.Random(share)
    payload = speech(6.0)
    lost = {number for number in range(300) if chance.random() < share}
    record(tmp_path / "take.wav", writer, payload, lost)
    kept = (tmp_path / "take.wav").read_bytes()[HEADER_SIZE:]
    assert len(kept) == len(payload)
    for number in set(range(300)) - lost:
        assert kept[number * 160 : number * 160 + 160] == payload[number * 160 : number * 160 + 160], number
    assert any(kept[number * 160 : number * 160 + 160] != Law.PCMU.silence(160) for number in lost if number > 5), (
        "gaps are concealed"
    )


def test_a_block_with_more_gaps_than_are_concealed_keeps_its_length() -> None:
    concealer = Concealer(Law.PCMU)
    concealer.block(voiced(100, 800))
    data = voiced(100, 160) * 25
    for number in range(25):
        concealer.gap(number * 160, 80)
    out = concealer.block(data)
    assert len(out) == len(data)
    assert out[REPAIRED_TOGETHER * 160 :] == data[REPAIRED_TOGETHER * 160 :]
    assert concealer.block(data) == data, "gaps are of one block"


def test_a_bad_line_makes_much_work_but_never_at_once(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each third packet is lost: every gap is concealed, few of them in one step of the media loop."""
    steps: list[int] = [0]

    def counted(before: bytes, size: int, after: bytes, law: Law) -> bytes:
        steps[-1] += 1
        return conceal(before, size, after, law)

    monkeypatch.setattr("voice.media.conceal.conceal", counted)
    payload = speech(6.0)
    recorder = Recorder(tmp_path / "take.wav", Law.PCMU, writer, None, 4.0, [].append)
    gaps = range(160, len(payload) - 320, 480)
    for start in gaps:
        recorder.frame(payload[start - 160 : start])
        recorder.lost(160)
        steps.append(0)
        recorder.frame(Law.PCMU.silence(160) + payload[start + 160 : start + 320])
    recorder.close()
    assert max(steps) <= REPAIRED_TOGETHER
    assert sum(steps) == sum(start < 4 * 8000 for start in gaps)
    assert not recorder._concealer._gaps, "nothing is noted beyond the longest duration"


def noisy(seconds: float, level: float, seed: int) -> bytes:
    sound = np.random.default_rng(seed).standard_normal(round(seconds * 8000)) * 32768 * 10 ** (level / 20)
    return g711.encode(sound.astype("<i2").tobytes(), Law.PCMU)


@pytest.mark.parametrize("level", [-90, -60, -45])
@pytest.mark.parametrize("share", [0.0, 0.05, 0.2])
def test_lost_packets_neither_keep_a_recording_from_ending_nor_cut_it_off(
    tmp_path: Path, writer: SpoolWriter, share: float, level: float
) -> None:
    """Speech, a pause of just under the time-out, speech, silence, all in noise."""
    timeout, chance = 2.0, random.Random(17)
    said = samples(speech(2.0, seed=3))
    sound = np.concatenate((said, np.zeros(round(8000 * (timeout - 0.1))), said, np.zeros(32000)))
    noise = samples(noisy(len(sound) / 8000, level, 9))
    payload = g711.encode(np.clip(sound + noise, -32768, 32767).astype("<i2").tobytes(), Law.PCMU)
    lost = {number for number in range(5, len(payload) // 160) if chance.random() < share}
    events = record(tmp_path / "take.wav", writer, payload, lost, timeout)
    assert events == [SilenceReached()]
    duration = ((tmp_path / "take.wav").stat().st_size - HEADER_SIZE) / 8000
    ends = 2.0 + timeout - 0.1 + 2.0
    assert ends + timeout <= duration <= ends + timeout + 0.35 + 0.1
