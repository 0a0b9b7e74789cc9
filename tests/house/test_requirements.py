"""Every package is pinned, has a reason, and is one that the code needs."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

from tests.house.rules import imports, sources

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(\[[a-z0-9,]+\])?==(?P<version>[0-9][\w.]*)(; [^#]+?)?(?P<reason>\s+# \S.*)?$"
)
OWN = {"app", "voice", "wsgi"}


# What is installed apart (`make speech`), and who alone imports it, in a process of its own.
APART, IMPORT_IT = "voice/synthesis/kokoro.txt", {"voice.synthesis.kokoro", "voice.synthesis.phonemes"}
NAMED_OTHERWISE = {"hibari": "hibari-tts"}


def requirements(file: str) -> list[str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith(("#", "-"))]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(file: str) -> set[str]:
    return {normal(match["name"]) for line in requirements(file) if (match := PINNED.match(line))}


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_each_line_is_pinned_and_has_a_reason(file: str) -> None:
    without = [line for line in requirements(file) if not (match := PINNED.match(line)) or not match["reason"]]
    assert without == []


@pytest.mark.parametrize("file", ["constraints.txt", APART])
def test_each_constraint_is_pinned(file: str) -> None:
    assert [line for line in requirements(file) if not PINNED.match(line)] == []


def test_what_is_pinned_twice_is_pinned_alike() -> None:
    assert names("constraints.txt") & (names("requirements.txt") | names("requirements-dev.txt")) == set()


def test_what_the_code_imports_is_required() -> None:
    providers = importlib.metadata.packages_distributions()
    known = names("requirements.txt") | names("constraints.txt")
    missing = set()
    for source in sources(ROOT):
        for _, name in imports(ast.parse(source.text)):
            top = name.partition(".")[0]
            if top in OWN or top in sys.stdlib_module_names:
                continue
            if source.module in IMPORT_IT and normal(NAMED_OTHERWISE.get(top, top)) in names(APART):
                continue
            if not {normal(provider) for provider in providers.get(top, [])} & known:
                missing.add(f"{source.module} imports {top}")
    assert missing == set()
