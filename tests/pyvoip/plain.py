"""Runs the phone of plain_phone.py, with the tests as the PBX that it is registered with."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.sip.peer import Leg, Peer
from tests.support import free_port, rtp_ports_of, until

PROGRAM = Path(__file__).with_name("plain_phone.py")


class PlainPhone:
    """pyVoIP, unmodified, in a process of its own. peer: the PBX; pyVoIP sends to it, whoever asked."""

    def __init__(self, rtp_ports: tuple[int, int] | None = None) -> None:
        port = free_port(socket.SOCK_DGRAM)
        low, high = rtp_ports or rtp_ports_of("plain")
        self.peer = Peer(("127.0.0.1", port))
        command = [sys.executable, str(PROGRAM), *map(str, (port, self.peer.port, low, high))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> PlainPhone:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self.peer.close()

    def register(self) -> PlainPhone:
        """Let it register."""
        Leg(self.peer).respond(self.peer.requested("REGISTER"))
        until(lambda: self.state()["status"] == "REGISTERED", 20, "the registration")
        return self

    def ask(self, command: str) -> Any:
        """See plain_phone.py."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("state")
        return found

    def threads(self, name: str) -> int:
        """How many threads of that name run."""
        return int(self.state()["threads"].count(name))
