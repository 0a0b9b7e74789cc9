"""Full collections of garbage come between calls, not in their midst."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from voice.garbage import CALLS_AT_MOST, GarbageCollection


class Node:
    """Holds itself, as a call that is over does."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collection() -> Iterator[GarbageCollection]:
    thresholds = gc.get_threshold()
    collection = GarbageCollection()
    collection.take_over()
    yield collection
    gc.unfreeze()
    gc.set_threshold(*thresholds)


@pytest.fixture
def left_behind(collection: GarbageCollection) -> weakref.ref[Node]:
    """A cycle that has grown old, and that nobody holds any more."""
    node = Node()
    gc.collect(1)
    gc.collect(1)
    return weakref.ref(node)


def test_python_begins_no_full_collection_by_itself(left_behind: weakref.ref[Node]) -> None:
    full: list[str] = []

    def watch(phase: str, information: dict[str, int]) -> None:
        if information["generation"] == 2:
            full.append(phase)

    gc.callbacks.append(watch)
    try:
        held = [[number] for number in range(300_000)]
    finally:
        gc.callbacks.remove(watch)
    assert len(held) == 300_000
    assert not full
    assert left_behind() is not None


def test_what_calls_leave_behind_is_collected_while_there_is_no_call(
    collection: GarbageCollection, left_behind: weakref.ref[Node]
) -> None:
    collection.run(live=1, taken=10)
    assert left_behind() is not None
    collection.run(live=0, taken=10)
    assert left_behind() is None


def test_under_steady_load_it_is_collected_after_many_calls(
    collection: GarbageCollection, left_behind: weakref.ref[Node]
) -> None:
    collection.run(live=7, taken=CALLS_AT_MOST + 6)
    assert left_behind() is not None
    collection.run(live=7, taken=CALLS_AT_MOST + 7)
    assert left_behind() is None


def test_it_is_not_done_again_for_the_same_calls(collection: GarbageCollection, left_behind: weakref.ref[Node]) -> None:
    collection.run(live=0, taken=3)
    node = Node()
    gc.collect(1)
    later = weakref.ref(node)
    del node
    collection.run(live=0, taken=3)
    assert later() is not None
