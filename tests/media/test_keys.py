"""Keys that come in two ways are told once, and those that come in one way always, by a clock that the test moves."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.media.dtmf import KEYS
from voice.media.keys import REMEMBERED_PRESSES, Keys

WAYS = ("event", "info", "tone")
WINDOW = 1.2
FEW_KEYS = "12#"

# How a phone presses: the pause before each press in hundredths of a second, and the key.
presses = st.lists(st.tuples(st.integers(0, 300), st.sampled_from(FEW_KEYS)), max_size=40)


class Told:
    """What is told of keys that come at the times that a test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.keys = ""
        self._keys = Keys(self._add, lambda: self.now)

    def hear(self, *told: tuple[float, str, str]) -> str:
        """Each of these: when, the way, and the key; in brackets where it goes on. All keys so far."""
        for self.now, way, key in told:
            if key.startswith("("):
                self._keys.goes_on(key[1], way)
            else:
                self._keys.tell(key, way)
        return self.keys

    def _add(self, key: str) -> None:
        self.keys += key


@pytest.mark.parametrize("hold", [0.52, 1.3, 6.0])
def test_info_when_a_key_that_was_held_is_let_go(hold: float) -> None:
    updates = [(step / 20, "event", "(1)") for step in range(1, int(hold * 20) + 1)]
    assert Told().hear((0, "event", "1"), *updates, (hold + 0.02, "info", "1")) == "1"


def test_info_that_was_lost_once() -> None:
    """Timer E sends it again after T1."""
    assert Told().hear((0, "event", "1"), (0.1, "event", "(1)"), (0.62, "info", "1")) == "1"


def test_the_same_key_typed_fast_with_slow_info() -> None:
    both = (0, "event", "1"), (0.15, "event", "1"), (0.4, "info", "1"), (0.55, "info", "1")
    assert Told().hear(*both) == "11"
    assert Told().hear(*((at, "tone" if way == "event" else way, key) for at, way, key in both)) == "11"


def test_other_keys_between_the_two_ways() -> None:
    typed = [(place / 10, "event", key) for place, key in enumerate("1231")]
    assert Told().hear(*typed, *((at + 0.6, "info", key) for at, _, key in typed)) == "1231"


@pytest.mark.parametrize(("late", "told"), [(WINDOW - 0.01, "5"), (WINDOW + 0.01, "55")])
def test_how_late_the_second_way_may_be(late: float, told: str) -> None:
    for first, second in (("event", "info"), ("info", "event"), ("tone", "info"), ("info", "tone")):
        assert Told().hear((9, first, "5"), (9 + late, second, "5")) == told
        assert Told().hear((0, first, "5"), (9, first, "(5)"), (9 + late, second, "5")) == told


def test_a_press_stands_for_one_press() -> None:
    assert Told().hear((0, "info", "1"), (0.1, "event", "1"), (0.3, "event", "1"), (0.5, "info", "1")) == "11"


def test_a_second_way_that_was_lost_for_good_costs_no_key() -> None:
    assert Told().hear((0, "event", "1"), (0.8, "event", "1"), (1.0, "info", "1"), (2.1, "event", "1")) == "111"


def test_a_held_key_that_was_matched_stands_for_nothing_more() -> None:
    assert Told().hear((0, "event", "1"), (0.1, "info", "1"), (0.2, "event", "(1)"), (0.4, "info", "1")) == "11"


def test_another_key_that_is_held_prolongs_nothing() -> None:
    assert Told().hear((0, "event", "1"), (0.9, "event", "(2)"), (0.9, "info", "(1)"), (1.3, "info", "1")) == "11"


def test_a_flood_is_not_remembered() -> None:
    told = Told()
    for _ in range(1000):
        told.hear((0, "info", "1"))
    assert told.keys == "1" * 1000
    assert len(told._keys._unmatched) == REMEMBERED_PRESSES


@given(presses, st.sampled_from(WAYS), st.data())
def test_presses_of_one_way_are_all_told_once_and_in_order(
    pressed: list[tuple[int, str]], way: str, data: st.DataObject
) -> None:
    """However fast the same key follows, and however long each is held."""
    told, now = Told(), 0.0
    for pause, key in pressed:
        now += pause / 100
        told.hear((now, way, key))
        for _ in range(data.draw(st.integers(0, 3))):
            now += 0.05
            told.hear((now, way, f"({key})"))
    assert told.keys == "".join(key for _, key in pressed)


@given(presses, st.lists(st.integers(0, 119), min_size=40, max_size=40), st.booleans())
def test_presses_of_two_ways_are_told_once_each(
    pressed: list[tuple[int, str]], late: list[int], info_first: bool
) -> None:
    """The second way follows each within the time that is given to it, in whatever order."""
    first, second = ("info", "event") if info_first else ("event", "info")
    coming: list[tuple[float, str, str]] = []
    now = 0
    for (pause, key), behind in zip(pressed, late, strict=False):
        now += pause
        coming += [(now / 100, first, key), ((now + behind) / 100, second, key)]
    typed = "".join(key for _, key in pressed)
    assert sorted(Told().hear(*sorted(coming, key=lambda one: one[0]))) == sorted(typed)


@given(st.lists(st.tuples(st.integers(0, 100), st.sampled_from(WAYS[:2]), st.sampled_from(KEYS[:2])), max_size=40))
def test_no_key_is_lost_and_none_is_made_up(coming: list[tuple[int, str, str]]) -> None:
    """Whatever comes, as many are told as came either way, and no more than came both ways together."""
    now, timed = 0, []
    for pause, way, key in coming:
        now += pause
        timed.append((now / 100, way, key))
    told = Told().hear(*timed)
    count = Counter((way, key) for _, way, key in timed)
    for key in KEYS[:2]:
        counts = [count[way, key] for way in WAYS[:2]]
        assert max(counts) <= told.count(key) <= sum(counts)
