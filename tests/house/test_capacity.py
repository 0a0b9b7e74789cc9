"""How the bench searches for the calls that one core carries, where the machine that it runs on is not quiet."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from pathlib import Path

from bench.capacity import DISTURBED_TRIES, search
from bench.load import Figures

QUIET, LATE = 1.0, 40.0


def load(calls: int, in_pace: float, peer_late: float = QUIET) -> Figures:
    return Figures(calls, calls, in_pace, 30, 0, 0, 4, 12, 0.8, 0.0, 60, peer_late)


class Loads:
    """Gives the loads of a size in turn, the last one again and again."""

    def __init__(self, **of_size: list[Figures]) -> None:
        self._left: dict[int, Iterator[Figures]] = {int(size[1:]): iter(loads) for size, loads in of_size.items()}
        self._last = {int(size[1:]): loads[-1] for size, loads in of_size.items()}
        self.run: list[int] = []

    def __call__(self, calls: int, folder: Path) -> Figures:
        self.run.append(calls)
        return next(self._left[calls], self._last[calls])


def test_up_to_the_first_size_that_fails_twice(tmp_path: Path) -> None:
    loads = Loads(
        _100=[load(100, 100)], _300=[load(300, 99.0), load(300, 99.95)], _600=[load(600, 98.0)], _900=[load(900, 100)]
    )
    found = search(loads, (100, 300, 600, 900), tmp_path)
    assert loads.run == [100, 300, 300, 600, 600]
    assert (found.held, found.undecided, found.most(600)) == (300, 0, 300)


def test_a_machine_that_stood_still_is_given_more_tries(tmp_path: Path) -> None:
    still = [load(600, 99.0, LATE)] * (DISTURBED_TRIES - 1)
    found = search(Loads(_600=[*still, load(600, 99.95)]), (600,), tmp_path)
    assert (found.held, found.undecided, len(found.loads)) == (600, 0, DISTURBED_TRIES)


def test_what_no_load_showed_is_not_called_a_failure(tmp_path: Path) -> None:
    found = search(
        Loads(_300=[load(300, 100)], _600=[load(600, 99.0, LATE)], _900=[load(900, 100)]), (300, 600, 900), tmp_path
    )
    assert (found.held, found.undecided, len(found.loads)) == (300, 600, 1 + DISTURBED_TRIES)
    assert isnan(found.most(600))
    assert found.most(300) == 300


def test_a_real_failure_counts_however_often_the_machine_stood_still(tmp_path: Path) -> None:
    quiet, late = load(300, 99.0), load(300, 99.0, LATE)
    found = search(Loads(_300=[late, quiet, late, quiet]), (300,), tmp_path)
    assert (found.held, found.undecided, len(found.loads)) == (0, 0, 4)
    assert found.most(600) == 0


def test_what_it_costs_is_the_lesser_of_two(tmp_path: Path) -> None:
    found = search(Loads(_100=[load(100, 100)], _300=[load(300, 100)]), (100, 300), tmp_path, twice=100)
    assert [one.calls for one in found.loads] == [100, 100, 300]


def test_the_size_to_compare_is_run_in_any_case(tmp_path: Path) -> None:
    loads = Loads(_50=[load(50, 90.0)], _100=[load(100, 80.0)])
    search(loads, (50, 75), tmp_path, always=100)
    assert loads.run == [50, 50, 100]
