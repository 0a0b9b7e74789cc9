"""The processes of an instance, each started again when it dies, as supervisor does it under `make run`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from app.config import PROJECT_ROOT
from app.launch import instance as rooms
from app.launch import processes
from app.launch.processes import Program
from tests.peers.instance import Instance

PAUSE_SECONDS = 0.3
LOOK_SECONDS = 0.05
STOP_SECONDS = 15.0
VALKEY = "valkey"
# Whom a kill hits: one of the processes by its name, or a child of one of them.
CHILDREN = {"keeper": "voice", "worker": "jobs"}


class Family:
    """Web, voice, jobs, relay and Valkey, or those of them that are named. Use as a context manager."""

    name = "kill"

    def __init__(self, instance: Instance, chance: random.Random | None = None, names: Collection[str] = ()) -> None:
        self._instance, self._chance = instance, chance or random.Random()
        rooms.make_folders(instance.settings)
        members = [processes.valkey(instance.settings), *processes.programs(instance.settings)]
        self._programs = {program.name: program for program in members if not names or program.name in names}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor")

    def __enter__(self) -> Family:
        for name in self._programs:
            self._start(name)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()
        # Valkey ends last, when nobody asks it any more.
        last = [self._running[name] for name in self._running if name == VALKEY]
        for group in ([process for process in self._running.values() if process not in last], last):
            for process in group:
                process.terminate()
            deadline = time.monotonic() + STOP_SECONDS
            for process in group:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.1, deadline - time.monotonic()))
                process.kill()
                process.wait(10)

    @property
    def names(self) -> list[str]:
        """The programs that run."""
        return list(self._programs)

    @property
    def logs(self) -> list[Path]:
        """The log of each program."""
        return [self._log(name) for name in self._programs]

    def pids(self, name: str) -> list[int]:
        """A program's process, and its children."""
        process = self._running[name]
        return [process.pid, *_children(process.pid)]

    def go_wrong(self, name: str) -> None:
        """kill -9 of a program, or of one of its children (CHILDREN)."""
        with self._lock:
            parent, *children = self.pids(CHILDREN.get(name, name))
            if name not in CHILDREN:
                children = [parent]
            if children:
                with suppress(ProcessLookupError):
                    os.kill(self._chance.choice(children), signal.SIGKILL)

    def recover(self, name: str) -> None:
        """Nothing: whoever was killed is started again by its supervisor."""

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            for name, process in list(self._running.items()):
                if process.poll() is not None:
                    if self._over.wait(PAUSE_SECONDS):
                        return
                    self._start(name)

    def _start(self, name: str) -> None:
        program: Program = self._programs[name]
        with self._log(name).open("ab") as log, self._lock:
            self._running[name] = subprocess.Popen(
                program.command,
                cwd=PROJECT_ROOT,
                env=self._instance.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _log(self, name: str) -> Path:
        return rooms.log_folder(self._instance.settings) / f"{name}.log"


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found
