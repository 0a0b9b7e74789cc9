"""Which row of a table belongs to which stream, and which rows have their turn together."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Owner = TypeVar("Owner")
Numbers = NDArray[np.intp]


class Rows(Generic[Owner]):
    """Gives rows out and takes them back, in turns. A row keeps its number as long as it is taken."""

    def __init__(self, most: int, turns: int) -> None:
        # The lowest free one is last: memory that was used once is used again.
        self._free = list(range(most - 1, -1, -1))
        self._owners: dict[int, Owner] = {}
        self._of: list[dict[int, None]] = [{} for _ in range(turns)]
        self._numbers: list[Numbers | None] = [None] * turns

    def __len__(self) -> int:
        """How many are taken."""
        return len(self._owners)

    def take(self, turn: int, owner: Owner) -> int | None:
        """A row that nobody has, None where there is none."""
        if not self._free:
            return None
        row = self._free.pop()
        self._owners[row] = owner
        self._of[turn][row] = None
        self._numbers[turn] = None
        return row

    def give_back(self, turn: int, row: int) -> None:
        """Let others have it."""
        del self._owners[row], self._of[turn][row]
        self._numbers[turn] = None
        self._free.append(row)

    def of(self, turn: int) -> Numbers:
        """The rows that have this turn."""
        numbers = self._numbers[turn]
        if numbers is None:
            numbers = self._numbers[turn] = np.array(list(self._of[turn]), np.intp)
        return numbers

    def owner(self, row: int) -> Owner:
        """Whose it is; KeyError where it is nobody's."""
        return self._owners[row]

    def owners(self) -> list[Owner]:
        """Everybody who has one."""
        return list(self._owners.values())
