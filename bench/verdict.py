"""What is promised, beside what was measured: a line each, and the table of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from bench.table import show

GOOD, KEPT, BROKEN, SHORT, UNKNOWN = "good", "kept", "NOT KEPT", "not good", "NOT MEASURED"


@dataclass(frozen=True)
class Line:
    """One promise: `must` has to be reached (None: nothing has), `good` is what is striven for (None: the same).

    more: more is better; else less is. unit stands behind all three numbers.
    """

    what: str
    measured: float
    must: float | None
    good: float | None = None
    unit: str = ""
    more: bool = False

    @property
    def verdict(self) -> str:
        """good, kept or NOT KEPT; "not good" where nothing more is promised; NOT MEASURED where no load counted."""
        if isnan(self.measured):
            return UNKNOWN
        if not self._reaches(self.must):
            return BROKEN
        if self._reaches(self.good):
            return GOOD
        return SHORT if self.must is None else KEPT

    def _reaches(self, limit: float | None) -> bool:
        if limit is None:
            return True
        return self.measured >= limit if self.more else self.measured <= limit

    def cells(self) -> list[str]:
        """The line as a row of the table."""
        bound = "≥" if self.more else "≤"
        must, good = ("" if limit is None else f"{bound} {self._text(limit)}" for limit in (self.must, self.good))
        return [self.what, must, good, self._text(self.measured), self.verdict]

    def _text(self, number: float) -> str:
        if isnan(number):
            return "-"
        return f"{number:.4g} {self.unit}".rstrip() if abs(number) < 1000 else f"{number:.0f} {self.unit}".rstrip()


def show_verdicts(lines: Sequence[Line]) -> bool:
    """Print the table; True where every promise was measured and is kept."""
    show("What is promised", ["", "must", "good", "measured", "verdict"], [line.cells() for line in lines])
    if any(line.verdict == UNKNOWN for line in lines):
        print(
            "\n  Not measured: the machine stood still in each load that would have shown it (run it again on one that "
            "does nothing else), or fewer calls had failed before."
        )
    return not any(line.verdict in (BROKEN, UNKNOWN) for line in lines)
