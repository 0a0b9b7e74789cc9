"""A fault in a flow ends that call alone: it is logged, its recording becomes a message, and nothing of it is left."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import PROJECT_ROOT
from tests.peers.instance import HOST, Instance
from tests.peers.speech import speech
from tests.support import until
from voice.caller import Caller
from voice.media import tones

pytestmark = [pytest.mark.peers, pytest.mark.slow]

EXTENSION = "7001"
FRAME = 160
# The key meets a fault that nobody thought of, in the midst of a recording.
PROGRAM = """
import sys
from voice.verbs import record

class Faulty(record.Record):
    def _until_end(self, call):
        ended_by, key = super()._until_end(call)
        if key == "*":
            raise RuntimeError("a fault of the flow")
        return ended_by, key

import voice.flows.leave_message as flow
flow.Record = lambda *arguments, finish_on, **named: Faulty(*arguments, finish_on="#*", **named)
from voice.__main__ import main
sys.exit(main())
"""


def test_a_fault_in_a_recording_costs_neither_the_message_nor_other_calls(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "instance", VOICEMAIL__SILENCE_TIMEOUT="60")
    instance.mailbox(EXTENSION)
    log, said, more = tmp_path / "log", speech(1.5, seed=51), speech(1.5, seed=52)
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], cwd=PROJECT_ROOT, env=instance.environment, stdout=out, stderr=out
        ) as worker,
    ):
        try:
            until(lambda: " ready sip=" in log.read_text(), 60, "the worker is ready")
            with Caller(HOST, instance.settings.sip.port) as other, Caller(HOST, instance.settings.sip.port) as caller:
                other.dial(EXTENSION)
                other.wait_tone(tones.BEEP_HZ, 20, to_its_end=True)
                until(lambda: list(instance.settings.spool_dir.glob("*.wav")), 20, "its recording")
                before = resources(worker.pid)
                caller.dial(EXTENSION)
                caller.wait_tone(tones.BEEP_HZ, 20, to_its_end=True)
                caller.speak(said)
                caller.audio.press("*")
                assert caller.wait(lambda: caller.ended, 20)
                assert caller.signalling.ended_by_peer
                # By the keeper at once: the reconciler would come by in a minute.
                message = instance.message(EXTENSION, 30)
                assert said[:-FRAME] in instance.spooled(message)
                assert message.call_id == caller.call_id
                until(lambda: resources(worker.pid) == before, 20, "thread and port of the call are given back")
                # The call beside it went on; so does the next one.
                other.speak(more)
                other.press("#")
                other.wait_tone(tones.CONFIRMATION_HZ[0], 20)
            until(lambda: len(instance.messages(EXTENSION)) == 2, 20, "the other message")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0
        finally:
            worker.kill()
    text = log.read_text()
    assert text.count("Traceback") == 1
    assert f"call={caller.call_id} failed" in text
    assert text.count("a fault of the flow") == 1
    assert not list(instance.settings.spool_dir.glob("*.part"))


def resources(pid: int) -> tuple[int, int]:
    """Threads and open files of a process."""
    return tuple(len(list(Path(f"/proc/{pid}/{kind}").iterdir())) for kind in ("task", "fd"))  # type: ignore[return-value]
