"""What the bench says of a promise."""

from __future__ import annotations

from math import nan

import pytest

from bench.verdict import BROKEN, GOOD, KEPT, SHORT, UNKNOWN, Line, show_verdicts


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        (Line("calls", 901, 600, 900, more=True), GOOD),
        (Line("calls", 899, 600, 900, more=True), KEPT),
        (Line("calls", 599, 600, 900, more=True), BROKEN),
        (Line("faults", 0, 0), GOOD),
        (Line("faults", 1, 0), BROKEN),
        (Line("late, which is only striven for", 0, None, 0), GOOD),
        (Line("late, which is only striven for", 1, None, 0), SHORT),
        (Line("late, which is only striven for", nan, None, 0), UNKNOWN),
    ],
)
def test_the_verdict_follows_from_the_numbers(line: Line, verdict: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert line.verdict == verdict
    assert show_verdicts([line]) is (verdict not in (BROKEN, UNKNOWN))
    assert verdict in capsys.readouterr().out
