"""A PostgreSQL of our own that can be stopped, frozen and started again; what was committed stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.faults.chaos.faulty import HOST
from tests.servers import answers, postgresql_command
from tests.support import free_port, missing, until

STOP, FREEZE = "stop", "freeze"
DATABASE = "postgres"


class Postgres:
    """A fault is a `stop`, after which connections are refused, or a `freeze`, after which nothing answers."""

    name = "postgresql"

    def __init__(self) -> None:
        # In a folder that a server that does not run as root may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="voicemail-chaos-"))
        port = free_port()
        self.url = f"postgresql://postgres@{HOST}:{port}/{DATABASE}"
        try:
            self._command = postgresql_command(self._folder, port)
        except OSError as error:
            missing(f"no PostgreSQL of our own: {error}")
        # It is never the machine that dies.
        self._command += ["-c", "fsync=off", "-c", "max_connections=200"]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Return when it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until(lambda: answers(self.url), 60, "PostgreSQL answers")

    def go_wrong(self, how: str) -> None:
        """Away from now on. A stop is immediate: transactions are broken off as they are."""
        if how == FREEZE:
            self._signal_all(signal.SIGSTOP)
            return
        assert self._process
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(20)

    def recover(self, how: str) -> None:
        """There again."""
        if how == FREEZE:
            self._signal_all(signal.SIGCONT)
        else:
            self.start()

    def close(self) -> None:
        """End it, and remove what it held."""
        if self._process and self._process.poll() is None:
            self._signal_all(signal.SIGCONT)
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal_all(self, signum: signal.Signals) -> None:
        assert self._process
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(each, signum)
