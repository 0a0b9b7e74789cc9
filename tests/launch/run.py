"""A `python -m app.launch` of a test's own: an instance folder, free ports, and what it says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from tests.launch.processes import alive, descendants
from tests.support import until

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
# What a machine may name for its own servers must not reach the instance.
OWN = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")


def free_port(kind: socket.SocketKind) -> int:
    """A port of 127.0.0.1 that nothing used a moment ago."""
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_range(count: int = 40) -> str:
    """A range of UDP ports of which all were free a moment ago."""
    for low in range(31000, 60000, count):
        with ExitStack() as stack:
            try:
                for port in range(low, low + count):
                    stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind(("127.0.0.1", port))
            except OSError:
                continue
            return f"{low}-{low + count - 1}"
    raise AssertionError("no free range of ports")


class Launch:
    """One instance that can be started again and again."""

    def __init__(self, instance: Path, **variables: str) -> None:
        self.instance = instance
        self.web_port, self.sip_port = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        self.variables = {name: os.environ[name] for name in OWN if name in os.environ} | {
            "VOICEMAIL_INSTANCE": str(instance),
            "WEB_PORT": str(self.web_port),
            "SIP_HOST": "127.0.0.1",
            "SIP_PORT": str(self.sip_port),
            "RTP_PORTS": free_range(),
            "PYTHONUNBUFFERED": "1",
        }
        self.variables |= variables
        self.process: subprocess.Popen[str] | None = None
        self.said: list[str] = []
        self._below: set[int] = set()

    def start(self) -> None:
        """Start it, as from a terminal of its own; what it says is collected in `said`."""
        self.said = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.launch"],
            cwd=ROOT,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._collect, args=(self.process, self.said), daemon=True).start()

    def _collect(self, process: subprocess.Popen[str], said: list[str]) -> None:
        assert process.stdout
        with process.stdout:
            said.extend(line.rstrip("\n") for line in process.stdout)

    def once(self) -> tuple[int, str]:
        """Start it and wait until it ends by itself: exit code, and all that it said."""
        result = subprocess.run(
            [sys.executable, "-m", "app.launch"],
            cwd=ROOT,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        return result.returncode, result.stdout

    def says(self, pattern: str, timeout: float = START_SECONDS) -> re.Match[str]:
        """Wait for a line that matches."""

        def matching() -> re.Match[str] | None:
            return next((match for line in list(self.said) if (match := re.search(pattern, line))), None)

        def said_or_ended() -> bool:
            return matching() is not None or self.pid_ended()

        until(said_or_ended, timeout, f"{pattern!r} in {self.said}")
        match = matching()
        assert match, f"it ended without {pattern!r}: {self.said}\n{self.logs()}"
        return match

    def pid_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def below(self) -> set[int]:
        """Every process of the instance but the launcher itself."""
        assert self.process
        self._below |= descendants(self.process.pid)
        return self._below

    def end(self, signum: int = signal.SIGINT, timeout: float = 30) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.process
        self.below()
        self.process.send_signal(signum)
        return self.process.wait(timeout)

    def left(self) -> set[int]:
        """Processes that were below the launcher and still run."""
        return {pid for pid in self._below if alive(pid)}

    def clean_up(self) -> None:
        """Whatever happened: nothing of the instance runs on."""
        if self.process and self.process.poll() is None:
            self.below()
            self.process.kill()
            self.process.wait()
        until(lambda: not self.left(), 20, f"the end of {self.left()}")

    def logs(self) -> str:
        """All logs, for a message of a failed test."""
        files = sorted((self.instance / "log").glob("*.log"))
        return "\n".join(f"--- {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files)
