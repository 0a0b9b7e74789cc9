"""docs/twiml.md shows verbs and attributes as the table and its tests have them."""

from __future__ import annotations

import pytest

from tests.twiml.page import PAGE, made, rule
from voice.twiml.kinds import Support
from voice.twiml.table import NAMESPACE, VERBS

ROWS = [pytest.param(verb.name, row.name, id=f"{verb.name}-{row.name}")
        for verb in VERBS.values() for row in verb.attributes if row.support is not Support.NOT_YET]  # fmt: skip


def test_the_tables_are_those_of_the_code() -> None:
    """python -m tests.twiml.page writes them."""
    text = PAGE.read_text(encoding="utf-8")
    assert made(text) == text


@pytest.mark.parametrize(("verb", "attribute"), ROWS)
def test_each_attribute_has_a_test_with_its_rule(verb: str, attribute: str) -> None:
    assert rule(verb, attribute).endswith(".")


def test_the_namespace_is_the_one_that_is_told() -> None:
    assert NAMESPACE in PAGE.read_text(encoding="utf-8")
