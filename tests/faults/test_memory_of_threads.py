"""The voice worker starts itself anew, once, for what the C library reads before a program begins."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SHOW = (
    "import os, sys\n"
    "from voice.memory import keep_none_for_threads\n"
    "keep_none_for_threads()\n"
    "print(os.getpid(), os.environ['GLIBC_TUNABLES'], sys.argv[1:])\n"
)


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, "glibc.malloc.tcache_count=0"), ("glibc.malloc.check=0", "glibc.malloc.check=0"), ("", "")],
)
def test_it_is_the_same_process_with_the_same_arguments(before: str | None, after: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    if before is not None:
        environment["GLIBC_TUNABLES"] = before
    process = subprocess.Popen(
        [sys.executable, "-c", SHOW, "--workers", "2"], env=environment, stdout=subprocess.PIPE, text=True
    )
    said, _ = process.communicate(timeout=30)
    assert said.split(maxsplit=1) == [str(process.pid), f"{after} ['--workers', '2']\n".lstrip()]
