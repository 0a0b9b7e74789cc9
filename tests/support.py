"""Helpers of all tests."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from app.config import Settings, load_settings

# Argon2id as cheap as it may be: tests that look at its cost set their own.
CHEAP = {
    "VOICEMAIL__PIN__ARGON2_MEMORY_KIB": "8192",
    "VOICEMAIL__PIN__ARGON2_TIME_COST": "1",
}
NOWHERE = "unix:///nonexistent/valkey.sock"


def until(predicate: Callable[[], object], timeout: float = 10, what: str = "", every: float = 0.005) -> None:
    """Wait until predicate() is true, asked `every` so many seconds; AssertionError with `what` after `timeout`."""
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out after {timeout:g} s: {what or predicate}")
        time.sleep(every)


def missing(reason: str) -> NoReturn:
    """This machine lacks what the test needs: it is skipped, but in CI, where nothing may be lacking, it fails."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def has_ipv6_loopback() -> bool:
    """Whether ::1 can be used here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1 that nobody uses at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rtp_ports_of(purpose: str) -> tuple[int, int]:
    """A range of RTP ports, below those that the kernel gives out: another one for each purpose and test process."""
    first, size, ranges = {"phone": (10000, 30, 66), "instance": (12000, 200, 40), "plain": (20000, 200, 40)}[purpose]
    # Processes that run beside each other have one parent: counted from its number, no two of them get the same range.
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    process = os.getppid() + int(worker.removeprefix("gw")) if worker else os.getpid()
    low = first + process % ranges * size
    return low, low + size - 1


def make_settings(instance: Path, **environment: str) -> Settings:
    """Settings of an instance in this folder, with nothing from outside; Redis is away unless REDIS_URL is given."""
    return load_settings({"VOICEMAIL_INSTANCE": str(instance), "REDIS_URL": NOWHERE, **CHEAP, **environment})
