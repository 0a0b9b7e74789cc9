"""A minute of fuzzing for all parsers together, and every input that once broke one."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.broken import BROKEN
from tests.fuzz.mutations import OPERATIONS, Mutation, mutate
from tests.fuzz.targets import TARGETS, Target

EXAMPLES_A_ROUND = 300
_place = st.integers(0, 5000)
_mutations = st.lists(
    st.builds(Mutation, st.integers(0, len(OPERATIONS) - 1), _place, _place, st.integers(0, 255)), max_size=6
)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_but_its_own_error_leaves_a_parser(target: Target) -> None:
    """Rounds of Hypothesis until the time of this parser is over; what it finds, it makes small and prints."""

    @settings(max_examples=EXAMPLES_A_ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(target.seeds), _mutations)
    def one_round(seed: bytes, mutations: list[Mutation]) -> None:
        target.read(mutate(seed, mutations, target.words, target.seeds))

    end = time.monotonic() + target.seconds
    while time.monotonic() < end:
        one_round()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_the_seeds_are_read(target: Target) -> None:
    for seed in target.seeds:
        target.read(seed)
    target.read(b"")


@pytest.mark.parametrize(("name", "data"), BROKEN)
def test_what_once_broke_a_parser(name: str, data: bytes) -> None:
    next(target for target in TARGETS if target.name == name).read(data)
