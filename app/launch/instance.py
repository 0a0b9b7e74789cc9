"""The instance folder: its rooms and its lock."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from app.config import Settings


class AlreadyRuns(Exception):
    """Another start holds the instance; str() is one line for a terminal."""


def log_folder(settings: Settings) -> Path:
    """Where each process of `make run` has its log."""
    return settings.instance / "log"


def run_folder(settings: Settings) -> Path:
    """What is of no use after a stop: lock, socket, supervisor's settings."""
    return settings.instance / "run"


def valkey_folder(settings: Settings) -> Path:
    """The embedded Valkey's append-only file."""
    return settings.instance / "valkey"


def make_folders(settings: Settings) -> None:
    """Make what a start needs, readable by this user alone; OSError where that is not possible."""
    for folder in (settings.instance, run_folder(settings), log_folder(settings), valkey_folder(settings)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.spool_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def lock(settings: Settings) -> int:
    """Hold the instance as long as the returned descriptor is open anywhere; AlreadyRuns where another does."""
    path = run_folder(settings) / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 20).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise AlreadyRuns(
            f"Voicemail Pro already runs in {settings.instance} (process {pid or 'unknown'}). "
            "Stop it first, or give this one a folder and ports of its own: VOICEMAIL_INSTANCE, WEB_PORT, SIP_PORT."
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
