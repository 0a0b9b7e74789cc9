"""Recordings: payload of any length, two reasons to end, and disks that fail."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import until
from voice.events import Event, LimitReached, SilenceReached
from voice.media import wav
from voice.media.g711 import Law
from voice.media.recorder import Recorder
from voice.media.wav import HEADER_SIZE
from voice.media.writer import SpoolWriter


@given(st.lists(st.binary(min_size=1, max_size=500), max_size=60), st.integers(0, 8000))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_taken_is_what_is_written_up_to_the_limit(
    tmp_path: Path, writer: SpoolWriter, payloads: list[bytes], limit: int
) -> None:
    path = tmp_path / "take.wav"
    path.unlink(missing_ok=True)
    events: list[Event] = []
    recorder = Recorder(path, Law.PCMA, writer, None, limit / 8000, events.append)
    for payload in payloads:
        recorder.frame(payload)
    result = recorder.close()
    sent = b"".join(payloads)
    kept = sent[:limit]
    assert path.read_bytes() == wav.header(Law.PCMA, len(kept)) + kept + b"\0" * (len(kept) % 2)
    assert result.duration == len(kept) / 8000
    assert events == [LimitReached()] * (0 < limit <= len(sent))


@pytest.mark.parametrize("size", [80, 160, 240, 333, 1600])
def test_silence_is_heard_in_packets_of_any_length(tmp_path: Path, writer: SpoolWriter, size: int) -> None:
    events: list[Event] = []
    recorder = Recorder(tmp_path / "take.wav", Law.PCMU, writer, 1.0, 60, events.append)
    taken = 0
    while not events:
        recorder.frame(Law.PCMU.silence(size))
        taken += size
    for _ in range(100):
        recorder.frame(Law.PCMU.silence(size))
    assert 1.28 <= taken / 8000 <= 1.28 + 0.02 + size / 8000
    assert events == [SilenceReached()]
    recorder.close()


def test_a_recording_that_has_ended_posts_nothing_more(tmp_path: Path, writer: SpoolWriter) -> None:
    """A silence that is only found at the end must not end the next recording of the call."""
    for frames in range(55, 70):
        events: list[Event] = []
        recorder = Recorder(tmp_path / f"{frames}.wav", Law.PCMU, writer, 1.0, 60, events.append)
        for _ in range(frames):
            recorder.frame(Law.PCMU.silence(160))
        before = list(events)
        recorder.close()
        recorder.frame(Law.PCMU.silence(160))
        assert events == before


def test_a_disk_that_fills_up_ends_the_recording_and_says_so(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "take.wav"
    events: list[Event] = []
    recorder = Recorder(path, Law.PCMU, writer, None, 600, events.append)
    for _ in range(50):
        recorder.frame(b"\x42" * 160)
    until(lambda: path.stat().st_size == HEADER_SIZE + 8000, what="the first second")

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("voice.media.writer.os.write", full)

    def told() -> bool:
        recorder.frame(b"\x42" * 160)
        return events == [LimitReached()]

    until(told, what="the end of the recording")
    with pytest.raises(OSError, match="No space"):
        recorder.close()
    assert path.read_bytes() == wav.header(Law.PCMU, 8000) + b"\x42" * 8000
    assert events == [LimitReached()]


def test_a_recording_of_nothing_is_a_whole_file_of_nothing(tmp_path: Path, writer: SpoolWriter) -> None:
    path = tmp_path / "take.wav"
    result = Recorder(path, Law.PCMU, writer, 5, 60, lambda event: None).close()
    assert (result.duration, result.heard.speech, result.size) == (0, 0, HEADER_SIZE)
    assert path.read_bytes() == wav.header(Law.PCMU, 0)
