"""Where a message ends: the silence and the tone behind the last word are cut off, and kept beside it for some days.

A kill at any line loses nothing that was said. The order is: the tail on disk, then the sidecar that says `complete`,
`trimmed` and the size of the message, then the cut. Before the sidecar the recording is whole, and a tail is left over;
from the sidecar on, whoever adopts the take cuts it to the size that the sidecar says (docs/adr/0008-trimming.md).
"""

from __future__ import annotations

import os
from pathlib import Path

from voice.media import FRAME_SAMPLES, FRAME_SECONDS, SAMPLE_RATE, wav
from voice.media.g711 import Law
from voice.media.recorder import RecordingResult
from voice.media.wav import HEADER_SIZE
from voice.media.writer import sync_folder

FOLDER = "trimmed"
WORTH_SAMPLES = SAMPLE_RATE // 10


def tail_of(recording: Path) -> Path:
    """Where what was cut off a recording is kept."""
    return recording.parent / FOLDER / recording.name


def end_of_message(recorded: RecordingResult, trailing: float) -> int | None:
    """Samples of a recording that are the message, whatever ended it; None where all of it is.

    trailing: seconds that are left after the last word. Where it is not sure when that was said, only a tone is cut.
    """
    heard, total = recorded.heard, round(recorded.duration * SAMPLE_RATE)
    ends = [total]
    if heard.tone_start is not None:
        ends.append(heard.tone_start)
    if heard.speech_end is not None:
        ends.append(heard.speech_end + round(trailing / FRAME_SECONDS) * FRAME_SAMPLES)
    end = min(ends)
    return end if 0 < end <= total - WORTH_SAMPLES else None


def keep_tail(recording: Path, law: Law, samples: int) -> None:
    """Write what comes after so many samples to a WAV of its own, safe on disk when this returns; OSError."""
    path = tail_of(recording)
    path.parent.mkdir(mode=0o750, exist_ok=True)
    with recording.open("rb") as file:
        file.seek(HEADER_SIZE + samples)
        data = file.read()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    with os.fdopen(descriptor, "wb") as file:
        file.write(wav.header(law, len(data)) + data + b"\0" * (len(data) & 1))
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
    sync_folder(path.parent.parent)


def forget_tail(recording: Path) -> None:
    """Remove a tail whose recording was never cut; OSError."""
    tail_of(recording).unlink(missing_ok=True)


def cut(recording: Path, size: int) -> None:
    """Make the file that many bytes long, on disk when this returns; OSError.

    The header goes first: a file of the right size has the right header.
    """
    descriptor = os.open(recording, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.pwrite(descriptor, wav.header(wav.law_of(os.pread(descriptor, HEADER_SIZE, 0)), size - HEADER_SIZE), 0)
        os.fsync(descriptor)
        os.ftruncate(descriptor, size)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def settle(recording: Path, size: int) -> None:
    """Cut what a kill left uncut; nothing happens where that was done, or where there is no file. OSError."""
    try:
        there = recording.stat().st_size
    except FileNotFoundError:
        return
    if HEADER_SIZE < size < there:
        cut(recording, size)
