"""supervisor as make run uses it: restarts, prompt stops in order, no orphans."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings, load_settings
from app.launch.instance import log_folder, make_folders
from app.launch.processes import Group, Program, write_supervisor_file
from tests.launch.processes import living
from tests.support import until

# Says hello, and goodbye when it is told to end. argv: mark, file, name.
POLITE = """
import signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
def note(word):
    with open(sys.argv[2], "a") as file:
        file.write(f"{sys.argv[3]} {word}\\n")
note("begins")
signal.sigwait([signal.SIGTERM])
note("ends")
"""
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
while True:
    signal.pause()
"""
FAMILY = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import signal; signal.pause()", sys.argv[1]])
"""


class House:
    """A supervisor with programs of the test's own."""

    def __init__(self, settings: Settings, mark: str) -> None:
        self.settings, self.mark = settings, mark
        self.notes = settings.instance / "notes"
        self.process: subprocess.Popen[bytes] | None = None

    def polite(self, name: str) -> Program:
        return Program(name, (*self._script(name, POLITE), str(self.notes), name))

    def program(self, name: str, code: str, stop_seconds: int = 30) -> Program:
        return Program(name, self._script(name, code), stop_seconds)

    def _script(self, name: str, code: str) -> tuple[str, ...]:
        script = self.settings.instance / f"{name}.py"
        script.write_text(code)
        return sys.executable, str(script), self.mark

    def start(self, *groups: Group) -> subprocess.Popen[bytes]:
        file = write_supervisor_file(self.settings, list(groups))
        command = [sys.executable, "-m", "app.launch.supervision", str(file), str(os.getpid())]
        self.process = subprocess.Popen(command)
        return self.process

    def noted(self) -> list[str]:
        return self.notes.read_text().splitlines() if self.notes.exists() else []

    def log(self, name: str) -> str:
        path = log_folder(self.settings) / f"{name}.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = load_settings({"VOICEMAIL_INSTANCE": str(tmp_path / "an instance 100%")})
    make_folders(settings)
    made = House(settings, f"mark-{uuid.uuid4()}")
    yield made
    if made.process:
        made.process.kill()
        made.process.wait()
    for pid in living(made.mark):
        os.kill(pid, signal.SIGKILL)


def test_what_crashes_is_started_again(house: House) -> None:
    house.start(Group("all", 1, [house.polite("one")]))
    until(lambda: house.noted() == ["one begins"], what="the start")
    [pid] = living(house.mark)
    os.kill(pid, signal.SIGKILL)
    until(lambda: house.noted() == ["one begins", "one begins"], what="the second start")


def test_a_stop_is_in_order(house: House) -> None:
    process = house.start(Group("last", 1, [house.polite("valkey")]), Group("first", 2, [house.polite("web")]))
    until(lambda: len(house.noted()) == 2, what="the start")
    process.terminate()
    assert process.wait(20) == 0
    assert house.noted()[2:] == ["web ends", "valkey ends"]
    assert living(house.mark) == {}


def test_what_ignores_a_stop_is_killed_in_time(house: House) -> None:
    process = house.start(Group("all", 1, [house.program("deaf", STUBBORN, stop_seconds=1)]))
    until(lambda: "here" in house.log("deaf"), what="the start")
    process.terminate()
    assert process.wait(20) == 0
    assert living(house.mark) == {}


def test_a_second_signal_ends_all_at_once(house: House) -> None:
    process = house.start(Group("all", 1, [house.program("deaf", STUBBORN, stop_seconds=600)]))
    until(lambda: "here" in house.log("deaf"), what="the start")
    process.terminate()
    until(lambda: "waiting for deaf" in house.log("supervisor"), what="the first signal to be heard")
    process.terminate()
    assert process.wait(20) == 0
    assert living(house.mark) == {}


def test_nothing_outlives_a_killed_supervisor(house: House) -> None:
    process = house.start(Group("all", 1, [house.polite("one"), house.polite("two")]))
    until(lambda: len(house.noted()) == 2, what="the start")
    process.kill()
    process.wait()
    until(lambda: not living(house.mark), what="the end of the children")
    assert sorted(house.noted()[2:]) == ["one ends", "two ends"]


def test_children_of_children_end_too(house: House) -> None:
    process = house.start(Group("all", 1, [house.program("family", FAMILY)]))
    until(lambda: len(living(house.mark)) == 2, what="parent and child")
    process.terminate()
    assert process.wait(20) == 0
    assert living(house.mark) == {}


def test_supervisor_ends_with_its_launcher(house: House) -> None:
    file = write_supervisor_file(house.settings, [Group("all", 1, [house.polite("one")])])
    launcher = (
        "import os, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'app.launch.supervision', sys.argv[1], str(os.getpid())])"
    )
    process = subprocess.Popen([sys.executable, "-c", launcher, str(file)])
    house.process = process
    until(lambda: house.noted() == ["one begins"], what="the start")
    process.kill()
    process.wait()
    until(lambda: not living(house.mark) and not living(str(file)), what="the end of all")
    assert house.noted() == ["one begins", "one ends"]
