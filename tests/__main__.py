"""Runs the tests: those that may share the machine beside each other, then those that must have it alone.

A test of real processes, phones, SIP servers, a browser or the timers of SIP that fails beside others is run once
more, alone: on two busy cores they are now and then late. Its name is printed either way. All other tests fail at once,
and so do more than a few.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FAILED = Path(".pytest_cache/v/cache/lastfailed")
TRIED_AGAIN = 3
# As many as CI has cores. With one more the run is shorter, but tests of real time came too late now and then.
BESIDE = "2"
MAY_BE_LATE = "peers or browser or slow or timers"
PASSED, FAILURES, NOTHING = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED


def run(*options: str) -> int:
    """One run of pytest; its exit code."""
    # Each run is a process of its own: modules, servers and caches of one are not those of the next. What Python has
    # compiled is kept: it would be compiled again for each of the hundreds of processes that tests start.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run([sys.executable, "-m", "pytest", *options], check=False, env=kept).returncode


def failed() -> list[str]:
    """The tests that failed in the last run."""
    try:
        return sorted(map(_without_group, json.loads(FAILED.read_text(encoding="utf-8"))))
    except (OSError, ValueError):
        return []


def _without_group(name: str) -> str:
    """The name as pytest takes it: xdist adds `@` and the group that the test runs with."""
    return name.rpartition("@")[0] if name.rfind("@") > name.rfind("]") else name


def second_chance() -> int:
    """Run those that failed beside others once more, where all of them may be late."""
    names = failed()
    if not 0 < len(names) <= TRIED_AGAIN:
        return int(FAILURES)
    if run("-q", "--collect-only", "-m", f"not ({MAY_BE_LATE})", *names) != NOTHING:
        return int(FAILURES)
    print("\nThese failed beside others and are run once more, alone:", *names, sep="\n  ", flush=True)
    code = run(*names)
    if code == PASSED:
        print("\nPassed when run alone (they depend on the machine's load):", *names, sep="\n  ", flush=True)
    return code


def main(options: list[str]) -> int:
    """`options` are pytest's; the exit code is its worst."""
    FAILED.unlink(missing_ok=True)
    beside = run("-n", BESIDE, "--dist", "loadgroup", "-m", "not alone", *options)
    if beside == FAILURES:
        beside = second_chance()
    alone = run("-m", "alone", *options)
    # A run in which no test was wanted has passed.
    return max(0 if code == NOTHING else code for code in (beside, alone))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
