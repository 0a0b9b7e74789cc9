"""What the processes beside the media process (voice/helper_process.py) have in common on their end."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

from voice.logs import set_up_logging

log = logging.getLogger(__name__)


def begin(name: str) -> socket.socket:
    """Make this a helper: it ends when the worker closes its end of the socket that is returned, not before."""
    # What calls began is finished first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Pacing media comes first: the worker's priority, real-time or not, is not inherited.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    set_up_logging(name)
    return socket.socket(fileno=int(sys.argv[1]))


class Worker:
    """The voice worker at the other end of the socket."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def requests(self) -> Iterator[dict[str, Any]]:
        """What it asks, until it is gone."""
        with self._channel.makefile("rb") as lines:
            try:
                for line in lines:
                    yield json.loads(line)
            except ConnectionResetError:
                pass
            except ValueError:
                # The worker was killed in the middle of a line, or begins from anew with another helper.
                log.error("the voice worker broke off in the middle of a request")

    def say(self, answer: dict[str, Any]) -> None:
        """Answer, or tell it something, from any thread."""
        line = json.dumps(answer).encode() + b"\n"
        with self._lock:
            try:
                self._channel.sendall(line)
            except OSError:
                # Nobody waits for it any more.
                log.warning("the voice worker left before its answer")


def stand_back(niceness: int) -> None:
    """Let the thread that runs this go behind others of this machine."""
    # On Linux it is the calling thread alone. Only ever further back: who starts us may have done so already.
    os.nice(niceness)


def one_line(error: Exception) -> str:
    """An error for the log and for whoever asked."""
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]
