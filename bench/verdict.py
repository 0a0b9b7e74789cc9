"""What is promised, beside what was measured: a line each, and the table of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from bench.table import show

GOOD, KEPT, BROKEN, SHORT = "good", "kept", "NOT KEPT", "not good"


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
        """good, kept or NOT KEPT; "not good" where nothing more is promised. What was not measured is not kept."""
        if isnan(self.measured) or not self._reaches(self.must):
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
        return f"{number:.4g} {self.unit}".rstrip() if abs(number) < 1000 else f"{number:.0f} {self.unit}".rstrip()


def show_verdicts(lines: Sequence[Line]) -> bool:
    """Print the table; True where every promise is kept."""
    show("What is promised", ["", "must", "good", "measured", "verdict"], [line.cells() for line in lines])
    return all(line.verdict != BROKEN for line in lines)
