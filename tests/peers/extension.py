"""A phone behind a proxy that nobody picks up: it rings, or is busy."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType

from tests.peers.instance import HOST
from voice.sip import SipError, SipMessage
from voice.sip.response import build_response


class Extension:
    """Answers every INVITE with `statuses`, such as 180, 486, and every CANCEL as the RFC asks. invites: what came."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = statuses
        self.invites: list[SipMessage] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Extension:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An empty datagram ends it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.sendto(b"", (HOST, self.port))
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while data := self._socket.recvfrom(65535):
            if not data[0]:
                return
            with suppress(SipError):
                self._answer(SipMessage(*data))

    def _answer(self, request: SipMessage) -> None:
        if request.method == "INVITE":
            self.invites.append(request)
            for status in self.statuses:
                self._respond(request, status)
        elif request.method == "CANCEL":
            self._respond(request, 200)
            self._respond(self.invites[-1], 487)

    def _respond(self, request: SipMessage, status: int) -> None:
        self._socket.sendto(build_response(request, status, to_tag="extension"), request.source)
