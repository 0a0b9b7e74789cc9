"""Arrays with a row for each of many streams, and no gaps between them: what is done to all is done to slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from voice.media.submission import REQUEST

FIRST_ROWS = 16
Columns = Mapping[str, tuple[DTypeLike, tuple[int, ...]]]


class Place:
    """A row of a table; its number changes when others go, and is -1 where it is no more."""

    __slots__ = ("row",)

    def __init__(self) -> None:
        self.row = -1


Kind = TypeVar("Kind", bound=Place)
Slices = TypeVar("Slices")


class Table(Generic[Kind, Slices]):
    """Columns grow as needed. Each row has as many requests as the table says, which lie behind each other."""

    COLUMNS: ClassVar[Columns]
    """Name, type, and shape of one row of each: attributes of the table, of which the first len(places) count."""
    cells: dict[str, memoryview]
    """The numbers of each column, or its bytes, one behind the other. To read or write one of them in an array is ten
    times dearer, and takes several kB of stack, which each thread that did so would keep."""

    def __init__(self, requests: int = 1) -> None:
        self.places: list[Kind] = []
        self._whole: Slices | None = None
        self.requests = np.zeros((0, requests), REQUEST)
        self._grow(FIRST_ROWS)

    def whole(self) -> Slices:
        """The rows that count. Kept while they are the same: to slice a column costs as much as to add to it."""
        if self._whole is None:
            self._whole = self.slices(slice(0, len(self.places)))
        return self._whole

    def slices(self, rows: slice) -> Slices:
        """These rows of what is worked on."""
        raise NotImplementedError

    def requests_of(self, rows: slice) -> tuple[int, int, int]:
        """Where the addresses of their requests are, how many they are, and the number of the first."""
        each = self.requests.shape[1]
        first = rows.start * each
        return self._pointers_at + first * self._pointers.itemsize, rows.stop * each - first, first

    def add(self, place: Kind) -> None:
        """Give it a row; all that lay_out() does not fill in is as it was left."""
        if len(self.places) == len(self.requests):
            before = dict(vars(self))
            try:
                self._grow(2 * len(self.places))
            except BaseException:
                # No memory: what the requests name must stay where it is.
                vars(self).update(before)
                raise
        place.row = len(self.places)
        try:
            self.lay_out(place)
        except BaseException:
            place.row = -1
            raise
        self._whole = None
        self.places.append(place)

    def remove(self, place: Kind) -> None:
        """The last row takes its place."""
        self._whole = None
        last = self.places.pop()
        if last is place:
            last.row = -1
        else:
            for name in self.COLUMNS:
                column = getattr(self, name)
                column[place.row] = column[last.row]
            self.requests[place.row] = self.requests[last.row]
            self.places[place.row] = last
            last.row, place.row = place.row, -1
            self.lay_out(last)

    def lay_out(self, place: Kind) -> None:
        """Fill in all addresses of the row, which may have been moved."""
        raise NotImplementedError

    def _grow(self, rows: int) -> None:
        cells = {}
        for name, (kind, shape) in self.COLUMNS.items():
            column = _grown(getattr(self, name, None), rows, kind, shape)
            setattr(self, name, column)
            cells[name] = (column if column.dtype.names is None else column.view(np.uint8)).reshape(-1).data
        # Any thread may look into them at any time.
        self.cells = cells
        self.requests = _grown(self.requests, rows, REQUEST, self.requests.shape[1:])
        first = self.requests.ctypes.data
        self._pointers = first + np.arange(self.requests.size, dtype=np.uint64) * np.uint64(REQUEST.itemsize)
        self._pointers_at = self._pointers.ctypes.data
        for place in self.places:
            self.lay_out(place)


def _grown(before: NDArray[Any] | None, rows: int, kind: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    after = np.zeros((rows, *shape), kind)
    if before is not None:
        after[: len(before)] = before
    return after
