"""Are recordings of loss-free calls the payload that was sent, bit for bit, but for their first and last frame?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voice.media import FRAME_SAMPLES
from voice.media.wav import HEADER_SIZE
from voice.trimming import tail_of

NEEDLE_FRAMES = 25


@dataclass(frozen=True)
class Exactness:
    """Recordings that were looked at, those that are exact, and their seconds in all."""

    recordings: int
    exact: int
    seconds: float


def check(spool: Path, speech: bytes) -> Exactness:
    """Compare each recording in the spool with the endless repetition of `speech` that the callers sent."""
    recordings = [_whole(file) for file in sorted(spool.glob("*.wav"))]
    speech = speech[: len(speech) - len(speech) % FRAME_SAMPLES]
    return Exactness(
        recordings=len(recordings),
        exact=sum(_is_part_of(recording, speech) for recording in recordings),
        seconds=sum(map(len, recordings)) / 8000,
    )


def _whole(file: Path) -> bytes:
    """A message and what was cut off its end: together they are what was recorded."""
    tail = tail_of(file)
    return file.read_bytes()[HEADER_SIZE:] + (tail.read_bytes()[HEADER_SIZE:] if tail.exists() else b"")


def _is_part_of(recording: bytes, speech: bytes) -> bool:
    middle = recording[FRAME_SAMPLES:-FRAME_SAMPLES]
    if len(middle) < NEEDLE_FRAMES * FRAME_SAMPLES:
        return False
    start = (speech + speech).find(middle[: NEEDLE_FRAMES * FRAME_SAMPLES])
    if start < 0:
        return False
    repeated = speech * (len(middle) // len(speech) + 2)
    return repeated[start : start + len(middle)] == middle
