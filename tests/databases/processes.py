"""Processes of the product that work on one database."""

from __future__ import annotations

import os
import subprocess
import sys

from app.config import PROJECT_ROOT, Settings
from tests.support import CHEAP, NOWHERE


def environment(settings: Settings) -> dict[str, str]:
    """What makes a process use the instance and the database of these settings, and nothing from outside."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    own = {
        "VOICEMAIL_INSTANCE": str(settings.instance),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": NOWHERE,
        "SECRET_KEY": "a key of the test",
        "PYTHONWARNINGS": "ignore",
    }
    return kept | own | CHEAP


def start(program: str, settings: Settings, *arguments: str) -> subprocess.Popen[str]:
    """A Python program with the settings of an instance; it may wait on its standard input."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=environment(settings),
        cwd=PROJECT_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outputs(processes: list[subprocess.Popen[str]], timeout: float = 60) -> list[str]:
    """Let all go at the same moment; what each printed. AssertionError for one that failed."""
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate(timeout=5)[1]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=timeout) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(error for _, error in said)
    return [text.strip() for text, _ in said]
