"""kill -9 of the job worker in mid-upload: the next one uploads."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from app.models import Delivery
from app.services import messages
from tests.peers.instance import Instance, Process, VoiceWorker
from tests.peers.speech import speech
from tests.support import until
from voice.caller import Caller
from voice.media import tones

pytestmark = [pytest.mark.peers, pytest.mark.slow]

EXTENSION = "7001"


def test_an_upload_that_was_killed_is_done_by_the_next_worker(
    start_worker: Callable[..., VoiceWorker], start_process: Callable[..., Process], valkey: str
) -> None:
    worker = start_worker(
        REDIS_URL=valkey,
        VOICEMAIL__DELIVERY__LEASE_SECONDS="2",
        VOICEMAIL__DELIVERY__RELAY_SECONDS="0.1",
        VOICEMAIL__DELIVERY__RETRY_FIRST_SECONDS="0.2",
    )
    instance = worker.instance
    instance.mailbox(EXTENSION)
    with Caller(worker.host, worker.port) as caller:
        caller.dial(EXTENSION)
        caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
        caller.speak(speech(2.0, seed=41))
        caller.hang_up()
    message = instance.message(EXTENSION)
    assert worker.stop() == 0
    spooled = instance.settings.spool_dir / f"{message.id}.wav"
    content = spooled.read_bytes()
    # Reading a pipe that nobody writes takes for ever: the upload stands still in its midst.
    spooled.rename(spooled.with_suffix(".aside"))
    os.mkfifo(spooled)
    jobs = start_process(instance, "app.jobs", "worker")
    start_process(instance, "app.jobs", "relay")
    until(lambda: _upload(instance).state == "running", 60, "the upload runs")
    _kill_tree(jobs)
    spooled.unlink()
    spooled.with_suffix(".aside").rename(spooled)
    assert _upload(instance).state == "running"
    start_process(instance, "app.jobs", "worker")
    until(lambda: _upload(instance).state == "done", 60, "the next worker uploads")
    uploaded = instance.message(EXTENSION)
    assert uploaded.spool_host is None
    assert _upload(instance).attempts >= 2
    with instance.app.app_context():
        assert b"".join(messages.open_audio(uploaded).blocks()) == content
    until(lambda: not list(instance.settings.spool_dir.iterdir()), 10, "the spool is empty")


def _upload(instance: Instance) -> Delivery:
    return next(row for row in instance.message(EXTENSION).deliveries if row.kind == "upload")


def _kill_tree(process: Process) -> None:
    """kill -9 of a process and all its descendants; stopped first, so that none starts another meanwhile."""
    found = [process.pid]
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
        found += [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    assert len(found) > 1
    for pid in reversed(found):
        os.kill(pid, signal.SIGKILL)
    process.popen.wait(10)
