"""Several voice workers on one host: a process each, with ports of its own, started again when one dies."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from app.config import Settings, SettingsError

log = logging.getLogger(__name__)
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
WATCHED = (*STOP_SIGNALS, signal.SIGCHLD)
WRONG_SETTING = 2
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
# A worker that lived for so long did not die of its start.
HEALTHY_SECONDS = 60.0
LOOK_SECONDS = 5.0
PR_SET_PDEATHSIG = 1
HIGHEST_PORT = 65535


def share(settings: Settings, index: int, workers: int) -> Settings:
    """The settings of worker `index`: SIP_PORT + 2i, and its share of the RTP range in whole pairs of ports.

    SettingsError where the ports do not suffice for so many workers.
    """
    if workers == 1:
        return settings
    low, high = settings.rtp_range
    low += low % 2
    pairs = (high - low + 1) // 2 // workers
    if pairs < 1:
        raise SettingsError("RTP_PORTS", f"{settings.sip.rtp_ports} has no pair of ports for each of {workers} workers")
    highest = settings.sip.port + 2 * (workers - 1)
    if highest > HIGHEST_PORT:
        raise SettingsError("SIP_PORT", f"the last of {workers} workers would need port {highest}")
    if settings.sip.port <= high and highest >= low:
        raise SettingsError("SIP_PORT", f"{settings.sip.port} to {highest} lie in RTP_PORTS ({settings.sip.rtp_ports})")
    first = low + 2 * pairs * index
    ports = f"{first}-{first + 2 * pairs - 1}"
    sip = replace(settings.sip, port=settings.sip.port + 2 * index, rtp_ports=ports)
    # One of us tells a PBX of waiting messages.
    return replace(settings, sip=sip if index == 0 else replace(sip, mwi_target="off"))


def end_with_parent(parent: int) -> None:
    """Have the kernel send us SIGTERM when the process that started us is gone (Linux: prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        # It went before the kernel knew of our wish.
        os.kill(os.getpid(), signal.SIGTERM)


class Worker:
    """The place of one worker: its process, or the time at which the next one starts."""

    def __init__(self, index: int, command: list[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.index, self._command, self._clock = index, command, clock
        self.process: subprocess.Popen[bytes] | None = None
        self.due = 0.0
        self.starts = 0
        self._began = 0.0
        self._pause = FIRST_PAUSE

    def start(self) -> None:
        """Start the process, in a group of its own: Ctrl-C comes to us alone, and we pass it on once."""
        self.starts += 1
        self._began = self._clock()
        self.process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, process_group=0)

    def ended(self) -> int | None:
        """The code with which its process ended, once; the next one is due after a pause that grows."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        self.process = None
        if self._clock() - self._began >= HEALTHY_SECONDS:
            self._pause = FIRST_PAUSE
        self.due = self._clock() + self._pause
        self._pause = min(LONGEST_PAUSE, 2 * self._pause)
        return code

    def tell(self, signum: signal.Signals) -> None:
        """Send its process a signal, where it lives."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signum)


def run_workers(settings: Settings, count: int) -> int:
    """Run `count` workers until SIGTERM or SIGINT (both blocked by the caller); a second signal ends calls at once.

    0, or 2 where a worker finds at its first start that a setting is wrong. SettingsError: too few ports.
    """
    share(settings, count - 1, count)
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    command = [sys.executable, "-m", "voice", "--workers", str(count), "--parent", str(os.getpid()), "--worker"]
    return Workers([Worker(index, [*command, str(index)]) for index in range(count)]).run()


class Workers:
    """Watches over workers; run() returns when they have ended."""

    def __init__(self, workers: list[Worker]) -> None:
        self._workers = workers
        self._status = 0

    def run(self) -> int:
        while not self._status:
            self._start_due()
            if self._wait(self._until_due()):
                break
            self._look()
        self._stop()
        return self._status

    def _start_due(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.process is None and worker.due <= now:
                try:
                    worker.start()
                except OSError as error:
                    # No process or memory is to be had now.
                    worker.due = now + LOOK_SECONDS
                    log.error("worker=%d cannot be started, it is tried again: %s", worker.index, error.strerror)

    def _until_due(self) -> float:
        waiting = [worker.due for worker in self._workers if worker.process is None]
        return max(0.0, min([time.monotonic() + LOOK_SECONDS, *waiting]) - time.monotonic())

    def _wait(self, timeout: float) -> bool:
        """Wait for news; whether we are asked to stop."""
        news = signal.sigtimedwait(WATCHED, timeout)
        return news is not None and news.si_signo in STOP_SIGNALS

    def _look(self) -> None:
        for worker in self._workers:
            code = worker.ended()
            if code is None:
                continue
            if code == WRONG_SETTING and worker.starts == 1:
                # It has said which. Later on it may be a port that is taken for a while: the others go on.
                self._status = WRONG_SETTING
                continue
            pause = max(0.0, worker.due - time.monotonic())
            log.error("worker=%d ended with code %d, it is started again in %.1f s", worker.index, code, pause)

    def _stop(self) -> None:
        """Let all end in order; a further signal reaches them too."""
        self._tell_all()
        while any(worker.process is not None and worker.process.poll() is None for worker in self._workers):
            if self._wait(LOOK_SECONDS):
                self._tell_all()

    def _tell_all(self) -> None:
        for worker in self._workers:
            worker.tell(signal.SIGTERM)
