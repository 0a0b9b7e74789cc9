"""The spool's disk is full: the caller hears it, the worker goes on."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.instance import NOT_AVAILABLE_HZ, VoiceWorker
from tests.peers.speech import speech
from tests.support import missing
from voice.caller import Caller
from voice.media import tones

pytestmark = [pytest.mark.peers, pytest.mark.slow]

EXTENSION = "7001"
DISK_BYTES = 64 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB: 8 s of recording."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode != 0:
        missing(f"a small disk cannot be mounted: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(folder: Path) -> Path:
    """Write until nothing more goes in."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            return path
    return path


def test_a_full_disk_is_told_and_survived(start_worker: Callable[..., VoiceWorker], small_disk: Path) -> None:
    worker = start_worker(VOICEMAIL__SPOOL_DIR=str(small_disk))
    instance = worker.instance
    instance.mailbox(EXTENSION)
    filler = fill(small_disk)
    with Caller(worker.host, worker.port) as caller:
        caller.dial(EXTENSION)
        caller.wait_tone(NOT_AVAILABLE_HZ, 15)
        assert caller.wait(lambda: caller.ended, 5)
        assert worker.call_line(caller.call_id)["ended_by"] == "spool error"
    filler.unlink()
    with Caller(worker.host, worker.port) as caller:
        caller.dial(EXTENSION)
        caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
        # The disk is full in the midst of what is said; what fits is kept.
        filler = fill_but(small_disk, 3 * 8192)
        caller.audio.speak(speech(10.0, seed=61))
        caller.wait_tone(NOT_AVAILABLE_HZ, 15)
        assert caller.wait(lambda: caller.ended, 5)
    filler.unlink()
    with Caller(worker.host, worker.port) as caller:
        caller.dial(EXTENSION)
        caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
        caller.speak(speech(2.0, seed=62))
        caller.press("#")
        for hertz in tones.CONFIRMATION_HZ:
            caller.wait_tone(hertz, 8)
        assert caller.call_id in {message.call_id for message in instance.messages(EXTENSION)}
    assert "Traceback" not in worker.text()


def fill_but(folder: Path, free: int) -> Path:
    """Fill the disk but for so many bytes."""
    path = folder / "filler"
    room = os.statvfs(folder)
    path.write_bytes(b"\0" * max(0, room.f_bavail * room.f_frsize - free))
    return path
