"""The commands that the documents name exist, and make accepts them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import missing

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PUBLIC = ("run", "test", "check", "bench", "soak", "chaos", "clean", "help")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))


def test_every_phony_target_has_a_rule() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == targets()


@pytest.mark.parametrize("target", PUBLIC)
def test_public_targets_are_described(target: str) -> None:
    assert re.search(rf"^{target}:.*## .+$", MAKEFILE, re.MULTILINE)


def test_targets_in_documents_exist() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    named = {name for path in documents for name in re.findall(r"`make ([a-z-]+)", path.read_text(encoding="utf-8"))}
    assert {"run", "test"} <= named
    assert named - targets() == set()


@pytest.mark.parametrize("target", PUBLIC)
def test_make_accepts_the_target(target: str) -> None:
    if not shutil.which("make"):
        missing("make is not installed")
    result = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_scripts_of_ci_can_be_run() -> None:
    for name in ("run", "packages"):
        script = ROOT / ".ci" / name
        assert script.stat().st_mode & 0o111
        assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
