"""A document goes through a socket and is the same on the other side; anything else is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.twiml.documents import read
from voice.twiml.plain import from_plain, to_plain

WRITTEN = (
    '<Response><Record recordingStatusCallbackEvent="in-progress completed" x="1"/>'
    '<Gather numDigits="2" timeout="3"><Say loop="0">é</Say><Play digits="1"/></Gather></Response>'
)


def plain() -> Any:
    return json.loads(json.dumps(to_plain(read(WRITTEN))))


def test_there_and_back() -> None:
    assert from_plain(plain()) == read(WRITTEN)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((), []), ((), None), ((), "x"), (("url",), 1), (("steps",), {}), (("notices",), None), (("notices", 0), "x"),
        (("notices", 0), [1, "x", 1]), (("notices", 0, 0), "12200"), (("steps", 0), []), (("steps", 0, "name"), None),
        (("steps", 0, "line"), True), (("steps", 0, "line"), "1"), (("steps", 0, "attributes"), []),
        (("steps", 0, "attributes", "timeout"), 1.5), (("steps", 0, "attributes", "timeout"), None),
        (("steps", 0, "attributes", "action"), {}), (("steps", 0, "attributes", "action"), [1]),
        (("steps", 1, "children"), "Say"), (("steps", 1, "children", 0), 1), (("more",), 1), (("steps", 0, "more"), 1),
    ],
)  # fmt: skip
def test_types_are_looked_at(path: tuple[str | int, ...], value: object) -> None:
    given = plain()
    if path:
        place = given
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    else:
        given = value
    with pytest.raises((TypeError, ValueError)):
        from_plain(given)


@pytest.mark.parametrize("key", ["url", "steps", "notices"])
def test_nothing_may_lack(key: str) -> None:
    given = plain()
    del given[key]
    with pytest.raises(ValueError, match="keys"):
        from_plain(given)


def test_depth_has_an_end() -> None:
    step = plain()["steps"][1]
    step["children"] = []
    for _ in range(500):
        step = {**copy.copy(step), "children": [step]}
    with pytest.raises(ValueError, match="deep"):
        from_plain({"url": "", "steps": [step], "notices": []})
