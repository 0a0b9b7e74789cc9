"""Record what the caller says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from voice.call import Call
from voice.errors import CallEnded
from voice.events import Digit, LimitReached, MediaTimeout, SilenceReached, ToneReached
from voice.media.recorder import RecordingResult

KEY, SILENCE, TONE, LIMIT, HANGUP, NO_MEDIA = "key", "silence", "tone", "limit", "hangup", "no media"

QUIET_STEP, LIVELY_STEP = 1.0, 2.0
"""Seconds between two looks at whether packets come."""


@dataclass(frozen=True)
class Recorded:
    """How a recording ended and what it holds. ended_by: key, silence, tone, limit, hangup or no media."""

    ended_by: str
    result: RecordingResult
    key: str = ""


@dataclass(frozen=True)
class Record:
    """Record to `path` until a key of `finish_on`, silence, a tone of the network, the longest duration or a hang-up.

    silence_timeout, max_duration: seconds; a silence_timeout of 0 never ends the recording.
    A hang-up is a normal end: run() returns, the next wait raises CallEnded.
    """

    path: Path
    silence_timeout: float = 5.0
    max_duration: float = 120.0
    finish_on: str = "#"

    def run(self, call: Call) -> Recorded:
        """Record; OSError where the file cannot be written."""
        recorder = call.start_recording(self.path, self.silence_timeout or None, self.max_duration)
        key = ""
        try:
            ended_by, key = self._until_end(call)
        except CallEnded:
            ended_by = HANGUP
        finally:
            call.stop_recording()
            result = recorder.close()
        return Recorded(ended_by, result, key)

    def _until_end(self, call: Call) -> tuple[str, str]:
        """Wait for the end. Phones that send nothing while it is quiet are heard by the clock of wait()."""
        quiet = _Quiet(call)
        while True:
            event = call.wait(quiet.step)
            if isinstance(event, Digit) and event.key in self.finish_on:
                return KEY, event.key
            if isinstance(event, SilenceReached):
                return SILENCE, ""
            if isinstance(event, ToneReached):
                return TONE, ""
            if isinstance(event, LimitReached):
                return LIMIT, ""
            if isinstance(event, MediaTimeout):
                return NO_MEDIA, ""
            if event is None:
                quiet.look()
                if self.silence_timeout and quiet.seconds >= self.silence_timeout:
                    return SILENCE, ""


class _Quiet:
    """For how many seconds no packets have come, hold not counted; `step` is how long to wait until the next look."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._received, self._hold_changes = -1, call.hold_changes
        self.seconds, self.step = 0.0, QUIET_STEP

    def look(self) -> None:
        """Called after each `step` seconds."""
        received, hold_changes = self._call.packets_received, self._call.hold_changes
        came = received != self._received
        # A hold that ended since the last look counts as well: the first packet after it may not be here yet.
        was_held = self._call.held or hold_changes != self._hold_changes
        self.seconds = 0.0 if came or was_held else self.seconds + self.step
        # Where packets come there is little to look for, and each look of each call costs.
        self.step = LIVELY_STEP if came else QUIET_STEP
        self._received, self._hold_changes = received, hold_changes
