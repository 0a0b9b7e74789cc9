"""A process beside the media process, and our end of it: JSON lines on a socket pair; started again when it dies."""

from __future__ import annotations

import json
import logging
import socket
import struct
import subprocess
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from voice.errors import HelperAway

log = logging.getLogger(__name__)
SEND_SECONDS = 1
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0


class HelperProcess:
    """One helper and the requests that are under way to it. Safe from any thread.

    Its process is `python -m MODULE FD`, which answers {"id", "ask", ...} by {"id", "value"} or {"id", "error"},
    and ends when the socket closes. Whoever waits for one that is away gets an error of the class `away`.
    """

    name: ClassVar[str]
    module: ClassVar[str]
    away: ClassVar[type[HelperAway]] = HelperAway

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Start the helper and whatever follows it when it dies."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Close the helper's socket and wait until it has finished what it began."""
        self._stopping.set()
        with self._lock:
            if self._channel is not None:
                # It may have died a moment ago.
                with suppress(OSError):
                    self._channel.shutdown(socket.SHUT_WR)
            process = self._process
        if process is not None:
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                log.warning("the %s did not end within %.0f s", self.name, timeout)
                process.kill()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def taken(self, answer: dict[str, Any]) -> bool:
        """Take what the helper says unasked, in the helper's thread; False where it is the answer of a request."""
        return False

    def failure(self, answer: dict[str, Any]) -> Exception | None:
        """The error that an answer tells of, or None."""
        return self.away(answer["error"]) if "error" in answer else None

    def started(self) -> None:
        """A helper runs, for the first time or again; called in the helper's thread."""

    def _ask(self, timeout: float, **request: Any) -> Any:
        number, future = next(self._numbers), Future[Any]()
        self._waiting[number] = future
        try:
            self._send({"id": number, **request})
            return future.result(timeout)
        except FutureTimeout:
            raise self.away(f"no answer within {timeout} s") from None
        finally:
            self._waiting.pop(number, None)

    def _send(self, request: dict[str, Any]) -> None:
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            if self._channel is None:
                raise self.away(f"the {self.name} is not running")
            try:
                self._channel.sendall(line)
            except OSError as error:
                # Also one that reads no more: half a line may be under way, so a new helper begins from anew.
                with suppress(OSError):
                    self._channel.shutdown(socket.SHUT_RDWR)
                self._channel = None
                raise self.away(f"the {self.name} is gone: {error.strerror}") from None

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                channel = self._spawn()
            except OSError as error:
                # No process or descriptor is free now; without a helper little goes on, so it is tried on.
                pause = min(LONGEST_PAUSE, pause * 2)
                log.error("the %s cannot be started, tried again in %.1f s: %s", self.name, pause, error.strerror)
                self._stopping.wait(pause)
                continue
            self.started()
            answered = self._read(channel)
            self._lost(channel)
            if self._stopping.is_set():
                return
            pause = FIRST_PAUSE if answered else min(LONGEST_PAUSE, pause * 2)
            log.error("the %s ended; it is started again in %.1f s", self.name, pause)
            self._stopping.wait(pause)

    def _spawn(self) -> socket.socket:
        """A new helper and our end of its socket; OSError."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        # A helper that is stopped and reads nothing must not hold up whoever sends.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", SEND_SECONDS, 0))
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", self.module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).resolve().parent.parent,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        with self._lock:
            self._channel, self._process = ours, process
            if self._stopping.is_set():
                # stop() came before there was anything to stop.
                ours.shutdown(socket.SHUT_WR)
        return ours

    def _read(self, channel: socket.socket) -> bool:
        """Hand answers to those who wait until the helper is gone; whether it answered at all."""
        answered = False
        with channel.makefile("rb") as lines:
            try:
                for line in lines:
                    answer = json.loads(line)
                    answered = True
                    if self.taken(answer):
                        continue
                    future = self._waiting.get(answer["id"])
                    if future is None or future.done():
                        continue
                    if (error := self.failure(answer)) is not None:
                        future.set_exception(error)
                    else:
                        future.set_result(answer["value"])
            except (OSError, ValueError) as error:
                log.error("the answer of the %s cannot be read: %s", self.name, error)
        return answered

    def _lost(self, channel: socket.socket) -> None:
        with self._lock:
            self._channel = None
            process = self._process
        channel.close()
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(self.away(f"the {self.name} ended"))
        if process is not None and not self._stopping.is_set():
            process.kill()
            process.wait()
