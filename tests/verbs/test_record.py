"""Record: what ends it where the other side sends nothing, and what does not while it is on hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.calls.scripted import ScriptedStream, scripted_call
from voice.call import Call
from voice.events import Digit, Event, HoldChanged
from voice.media.recorder import SpoolWriter
from voice.verbs import Record
from voice.verbs.record import KEY, SILENCE

WRITER = SpoolWriter()
PACKETS_PER_SECOND = 50
POUND_AT = 70.0


class Line:
    """A call's events and packets by a clock that only wait() moves on: `talks` are seconds in which packets come."""

    def __init__(
        self, call: Call, stream: ScriptedStream, talks: list[tuple[float, float]], holds: list[tuple[float, float]]
    ) -> None:
        self.now = 0.0
        self._call, self._stream, self._talks = call, stream, talks
        changes = [(began, HoldChanged(True)) for began, _ in holds] + [(end, HoldChanged(False)) for _, end in holds]
        self._changes = sorted(changes, key=lambda change: change[0])

    def wait(self, timeout: float | None = None) -> Event | None:
        """As of every call: what happens meanwhile has happened when it returns. The caller presses # in the end."""
        assert timeout is not None
        self.now += timeout
        if self.now >= POUND_AT:
            return Digit("#")
        while self._changes and self._changes[0][0] <= self.now:
            self._call.post(self._changes.pop(0)[1])
        seconds = sum(max(0.0, min(end, self.now) - began) for began, end in self._talks)
        self._stream.statistics.received = round(seconds * PACKETS_PER_SECOND)
        return None


def recorded(
    folder: Path, monkeypatch: pytest.MonkeyPatch, talks: list[tuple[float, float]], holds: list[tuple[float, float]]
) -> tuple[str, float]:
    """How a recording of this call ends, and when."""
    call, _, stream = scripted_call(WRITER)
    line = Line(call, stream, talks, holds)
    monkeypatch.setattr(call, "wait", line.wait)
    path = folder / "take.wav"
    path.unlink(missing_ok=True)
    return Record(path).run(call).ended_by, line.now


def test_who_sends_nothing_any_more_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended_by, at = recorded(tmp_path, monkeypatch, [(0.0, 10.0)], [])
    assert (ended_by, at) == (SILENCE, pytest.approx(15.0, abs=2.0))


def test_who_comes_back_from_hold_is_not_silent_before_the_first_packet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look falls between the end of hold and the first packet after it."""
    for first in range(20):
        resumed = 40.0 + 0.05 * first
        talks = [(0.0, 3.0), (resumed + 0.2, POUND_AT)]
        assert recorded(tmp_path, monkeypatch, talks, [(3.0, resumed)]) == (KEY, pytest.approx(POUND_AT, abs=2.0))


def test_who_says_nothing_after_a_hold_has_the_whole_time_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended_by, at = recorded(tmp_path, monkeypatch, [(0.0, 3.0)], [(3.0, 40.0)])
    assert (ended_by, at) == (SILENCE, pytest.approx(46.0, abs=1.0))


def test_a_hold_between_two_looks_begins_the_pause_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packets end at 3 s; the recording would end at 8 s, and the caller speaks again at 11 s."""
    talks = [(0.0, 3.0), (11.0, POUND_AT)]
    assert recorded(tmp_path, monkeypatch, talks, [])[0] == SILENCE
    assert recorded(tmp_path, monkeypatch, talks, [(6.2, 6.7)])[0] == KEY


def test_hold_ends_nothing_however_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorded(tmp_path, monkeypatch, [(0.0, 3.0)], [(5.0, 69.0)])[0] == KEY
