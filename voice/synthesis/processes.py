"""Engines in processes of their own: one that crashes or hangs ends a sentence, and nobody's call."""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from app.config import PROJECT_ROOT
from voice.synthesis.engine import EngineAway, EngineDied, EngineFailed, Samples, Voice
from voice.synthesis.voices import VOICES

MOST_BYTES = 64_000_000
CLOSE_SECONDS = 2.0
_LONGEST_LINE = 10_000


class EngineProcess:
    """One process (server.py). Not for several threads at once."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._questions, self._answers = _there(self._process.stdin), _there(self._process.stdout)
        self._held = b""

    def speak(self, text: str, voice: Voice, seconds: float) -> Samples:
        """Ask for a sentence. EngineFailed; EngineDied, after which it is of no more use."""
        # It ends by itself a little before it is ended: so it does as well where this process is killed meanwhile.
        question = {"text": text, "voice": voice.name, "seconds": max(seconds * 0.95, seconds - 1)}
        deadline = time.monotonic() + seconds
        try:
            self._questions.write(json.dumps(question).encode() + b"\n")
            head = json.loads(self._line(deadline))
            if "error" in head:
                raise EngineFailed(str(head["error"]))
            return Samples(self._bytes(int(head["bytes"]), deadline), int(head["rate"]))
        except (OSError, ValueError, KeyError, EOFError):
            raise EngineDied(f"The engine {voice.engine} {self._end(seconds)}.") from None

    def is_gone(self) -> bool:
        """Whether it has ended, by whatever."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it, from any thread: whoever waits for it is told that it died."""
        with suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """End it and forget it."""
        self.kill()
        self._process.wait()
        self._questions.close()
        self._answers.close()

    def _end(self, seconds: float) -> str:
        """How it ended, for people."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)
        code = self._process.returncode
        self.close()
        if code is None or code == -signal.SIGALRM:
            return f"took more than {seconds:.0f} s for it"
        if code < 0:
            return f"crashed ({signal.Signals(-code).name})"
        return f"ended (code {code})"

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._held:
            if len(self._held) > _LONGEST_LINE:
                raise ValueError("no line")
            self._held += self._some(deadline)
        line, _, self._held = self._held.partition(b"\n")
        return line

    def _bytes(self, size: int, deadline: float) -> bytes:
        if not 0 <= size <= MOST_BYTES:
            raise ValueError("too much")
        parts, there = [self._held], len(self._held)
        while there < size:
            parts.append(self._some(deadline))
            there += len(parts[-1])
        data = b"".join(parts)
        self._held = data[size:]
        return data[:size]

    def _some(self, deadline: float) -> bytes:
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise EOFError("late")
        if data := os.read(self._answers.fileno(), 1 << 18):
            return data
        raise EOFError("ended")


def _there(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise EngineDied("The engine has no pipe.")
    return pipe


class EnginePool:
    """An Engine in some processes, which start when they are wanted. Safe from any thread."""

    def __init__(self, name: str, command: Sequence[str], size: int, seconds: float) -> None:
        """seconds: for one sentence, and again for the processes ahead of it to come free."""
        self._name, self._command, self._seconds = name, command, seconds
        # The process that was used last comes first; None stands for one that is not running.
        self._free: queue.LifoQueue[EngineProcess | None] = queue.LifoQueue()
        self._running: set[EngineProcess] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._size = size
        for _ in range(size):
            self._free.put(None)

    @property
    def voices(self) -> tuple[Voice, ...]:
        """The voices of the engine."""
        return tuple(voice for voice in VOICES if voice.engine == self._name)

    def synthesise(self, text: str, voice: Voice) -> Samples:
        """Speak a sentence in one of the processes. EngineFailed."""
        if self._closed:
            raise EngineAway(f"The engine {self._name} is closed.")
        try:
            process = self._free.get(timeout=self._seconds)
        except queue.Empty:
            raise EngineAway(f"The engine {self._name} is busy.") from None
        try:
            if process is None or process.is_gone():
                process = self._started(process)
            return process.speak(text, voice, self._seconds)
        except EngineDied:
            self._forgotten(process)
            process = None
            raise
        finally:
            self._free.put(process)

    def close(self) -> None:
        """End the processes, whatever they do."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            running = list(self._running)
        for process in running:
            process.kill()
        # Who waits for one of them is told at once, and gives it back.
        for _ in range(self._size):
            with suppress(queue.Empty):
                self._forgotten(self._free.get(timeout=CLOSE_SECONDS))
        for _ in range(self._size):
            self._free.put(None)

    def _started(self, gone: EngineProcess | None) -> EngineProcess:
        self._forgotten(gone)
        with self._lock:
            if self._closed:
                raise EngineAway(f"The engine {self._name} is closed.")
            try:
                process = EngineProcess(self._command)
            except OSError as error:
                raise EngineAway(f"The engine {self._name} cannot be started: {error.strerror}") from None
            self._running.add(process)
            return process

    def _forgotten(self, process: EngineProcess | None) -> None:
        if process:
            process.close()
            with self._lock:
                self._running.discard(process)
