"""A private Kamailio: a process of the test's own, with the routes that the test writes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.peers.instance import HOST, OPTIONS
from tests.support import free_port, until

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
ATTEMPTS = 5
HEAD = """#!KAMAILIO
debug=2
log_stderror=yes
fork=yes
children=2
disable_tcp=yes
dns=no
rev_dns=no
auto_aliases=no
user_agent_header="User-Agent: Kamailio"
server_header="Server: Kamailio"
listen=udp:{host}:{port}
"""

needs_kamailio = pytest.mark.skipif(
    shutil.which("kamailio", path=PATH) is None and not os.environ.get("CI"),
    reason="kamailio (Debian: kamailio) is not installed",
)


class Kamailio:
    """Started in a folder of its own, on a UDP port of its own of 127.0.0.1; ready once it is made.

    text: the configuration behind the lines of HEAD: loadmodule, modparam, routes. It has to answer OPTIONS for itself,
    with any status. PORT in it stands for the port.
    """

    def __init__(self, folder: Path, text: str) -> None:
        folder.mkdir(parents=True)
        self.host = HOST
        self.log = folder / "kamailio.log"
        self._folder, self._text = folder, text
        for attempt in range(ATTEMPTS):
            self._start()
            try:
                self._wait_ready()
            except AssertionError:
                # Between asking for a free port and taking it somebody else may have taken it.
                self.stop()
                if attempt == ATTEMPTS - 1 or "ddress already in use" not in self.text():
                    raise
            else:
                return

    def text(self) -> str:
        """What it has logged so far."""
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """SIGTERM to its first process, which ends the others; all of them are gone afterwards."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _start(self) -> None:
        self.port = free_port(socket.SOCK_DGRAM)
        configuration = self._folder / "kamailio.cfg"
        configuration.write_text(HEAD.format(host=HOST, port=self.port) + self._text.replace("PORT", str(self.port)))
        command = ["kamailio", "-DD", "-E", "-m", "32", "-M", "4", "-f", str(configuration), "-Y", str(self._folder)]
        with self.log.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=os.environ | {"PATH": PATH},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def _wait_ready(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((HOST, 0))
            probe.settimeout(0.2)
            text = OPTIONS.format(host=HOST, port=self.port, own=probe.getsockname()[1]).encode()

            def answered() -> bool:
                assert self._process.poll() is None, f"Kamailio ended:\n{self.text()[-3000:]}"
                probe.sendto(text, (HOST, self.port))
                try:
                    return probe.recv(2000).startswith(b"SIP/2.0 ")
                except OSError:
                    return False

            until(answered, START_SECONDS, f"Kamailio answers OPTIONS\n{self.text()[-3000:]}")
