"""A voice worker that lost a thread that all calls need ends, so that whoever supervises it starts another."""

from __future__ import annotations

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
# The thread meets a fault that nobody thought of as soon as the folder has a file of this name.
PROGRAM = """
import sys
from pathlib import Path
from voice.media.loop import MediaLoop
from voice.sip.timers import Timers

def breaking(function):
    def broken(*arguments):
        if Path("FAULT").exists():
            raise RuntimeError("a fault")
        return function(*arguments)
    return broken

def break_it(owner, name):
    setattr(owner, name, breaking(getattr(owner, name)))

break_it(*{"media": (MediaLoop, "_read"), "SIP": (Timers, "next_delay")}[sys.argv.pop()])
from voice.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("thread", ["media", "SIP"])
def test_the_worker_ends_and_the_recording_is_kept(tmp_path: Path, thread: str) -> None:
    instance = Instance(tmp_path / "instance")
    instance.mailbox(EXTENSION)
    log, said = tmp_path / "log", speech(2.0, seed=34)
    command = [sys.executable, "-c", PROGRAM.replace('"FAULT"', repr(str(tmp_path / "FAULT"))), thread]
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=PROJECT_ROOT, env=instance.environment, stdout=out, stderr=out) as worker,
    ):
        try:
            until(lambda: " ready sip=" in log.read_text(), 60, "the worker is ready")
            with Caller(HOST, instance.settings.sip.port) as caller:
                caller.dial(EXTENSION)
                caller.wait_tone(tones.BEEP_HZ, 10, to_its_end=True)
                caller.speak(said)
                (tmp_path / "FAULT").touch()
                # The SIP thread looks at its timers when something comes.
                caller.hang_up()
            assert worker.wait(30) == 1
        finally:
            worker.kill()
    assert f"thread={thread} failed" in log.read_text()
    (sidecar,) = instance.settings.spool_dir.glob("*.json")
    assert said[:8000] in sidecar.with_suffix(".wav").read_bytes()
