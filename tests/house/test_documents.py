"""What the documents promise is what the code has."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from app.config import Settings
from app.settings_schema import Key, schema_of

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ROOT / "docs" / "operations.md"
SETTING = re.compile(
    r"^\| `(?P<key>[a-z0-9_.]+)` \| (?P<default>[^|]*) \| (?P<environment>[^|]*) \| (?P<help>[^|]+) \|$"
)
LINK = re.compile(r"(?<!`)!?\[[^\]]*\]\((?P<target>[^)]+)\)")
GPL_3 = "3972dc9744f6499f0f9b2dbf76696f2ae7ad8af9b23dde66d6af86c9dfb36986"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def documented() -> dict[str, re.Match[str]]:
    lines = OPERATIONS.read_text(encoding="utf-8").splitlines()
    return {match["key"]: match for line in lines if (match := SETTING.match(line))}


def shown(key: Key) -> str:
    """A default as the tables write it."""
    value = key.default
    if value is None:
        return "not set"
    if value == ():
        return "`[]`" if key.meta["kind"] == "networks" else "`{}`"
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (str, tuple, bool)):
        value = json.dumps(value)
    return f"`{value}`"


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert set(documented()) == set(schema_of(Settings))


@pytest.mark.parametrize("key", schema_of(Settings).values(), ids=lambda key: str(key.name))
def test_default_and_variables_are_the_documented_ones(key: Key) -> None:
    row = documented()[key.name]
    assert row["default"] == shown(key)
    assert re.findall(r"`([^`]+)`", row["environment"]) == list(key.variables[1:])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for match in LINK.finditer(text):
        target, _, anchor = match["target"].partition("#")
        if "://" in target:
            continue
        goal = (document.parent / target).resolve() if target else document
        assert goal.exists(), f"{document.name}: {match['target']}"
        if anchor:
            assert anchor in anchors(goal), f"{document.name}: {match['target']}"


def anchors(document: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    records = [path.name for path in (ROOT / "docs" / "adr").glob("0*.md")]
    assert records
    assert [name for name in records if f"({name})" not in listed] == []


def test_the_licence_is_the_whole_gpl() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == GPL_3
