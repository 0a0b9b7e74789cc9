"""Runs the tests: those that may share the machine beside each other, then those that must have it alone.

A test that fails beside others is run once more, alone: real phones, browsers and servers on two busy cores are now and
then late. Its name is printed either way, and more than a few that fail are not tried again.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FAILED = Path(".pytest_cache/v/cache/lastfailed")
TRIED_AGAIN = 3
PASSED, FAILURES, NOTHING = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED


def run(*options: str) -> int:
    """One run of pytest; a run in which no test was wanted has passed."""
    # Each run is a process of its own: modules, servers and caches of one are not those of the next.
    code = subprocess.run([sys.executable, "-m", "pytest", *options], check=False).returncode
    return int(PASSED if code == NOTHING else code)


def failed() -> list[str]:
    """The tests that failed in the last run."""
    try:
        return sorted(json.loads(FAILED.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return []


def second_chance() -> int:
    """Run those that failed beside others once more."""
    names = failed()
    if not 0 < len(names) <= TRIED_AGAIN:
        return int(FAILURES)
    print("\nThese failed beside others and are run once more, alone:", *names, sep="\n  ", flush=True)
    code = run(*names)
    if code == PASSED:
        print("\nPassed when run alone (they depend on the machine's load):", *names, sep="\n  ", flush=True)
    return code


def main(options: list[str]) -> int:
    """`options` are pytest's; the exit code is its worst."""
    FAILED.unlink(missing_ok=True)
    beside = run("-n", "2", "--dist", "loadgroup", "-m", "not alone", *options)
    if beside == FAILURES:
        beside = second_chance()
    return max(beside, run("-m", "alone", *options))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
