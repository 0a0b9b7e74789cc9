"""`python -m voice [--workers N]`: the voice worker's process."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from app.config import Settings, SettingsError, load_settings
from voice.garbage import GarbageCollection
from voice.logs import set_up_logging
from voice.memory import keep_none_for_threads, share_one_arena
from voice.workers import STOP_SIGNALS, WRONG_SETTING, end_with_parent, run_workers, share

if TYPE_CHECKING:
    from voice.worker import VoiceWorker

log = logging.getLogger("voice")
HEARTBEAT_SECONDS = 5.0
DRAIN_LOOK_SECONDS = 0.05
MAX_WORKERS = 64
# Without one of them no call gets on: better a new process, which takes the next call.
VITAL_THREADS = ("SIP", "media")


def main() -> int:
    """Run until SIGTERM or SIGINT; 0 after a clean stop, 1 after a fault, 2 for a wrong setting or a taken port."""
    parser = argparse.ArgumentParser(prog="python -m voice", description="Answers calls and records messages.")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes, each with its own ports")
    parser.add_argument("--worker", type=int, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    set_up_logging("voice" if arguments.worker is None else f"voice-{arguments.worker}")
    # Blocked here and waited for below: a handler could run in the midst of anything.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    if arguments.parent is not None:
        end_with_parent(arguments.parent)
    try:
        return _start(arguments.workers, arguments.worker)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_SETTING


def _start(workers: int, worker: int | None) -> int:
    if not 1 <= workers <= MAX_WORKERS:
        raise SettingsError("--workers", f"must be from 1 to {MAX_WORKERS}, not {workers}")
    settings = load_settings()
    if worker is None:
        for warning in settings.warnings:
            log.warning("%s", warning)
    if not settings.voice_enabled:
        return _wait_switched_off()
    if worker is None and workers > 1:
        return run_workers(settings, workers)
    # A call to several contacts rings at all of them, and each of us answers at once: the first alone registers.
    return _run(share(settings, worker or 0, workers), registers=not worker)


def _run(settings: Settings, registers: bool) -> int:
    from voice.worker import VoiceWorker

    share_one_arena()
    # Short turns: the media loop must get the interpreter within its 10 ms.
    sys.setswitchinterval(0.001)
    worker = VoiceWorker(settings, registers)
    failed = _watch_threads()
    try:
        worker.start(_asked_to_stop)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError("SIP_PORT", f"{settings.sip.host}:{settings.sip.port} cannot be used: {reason}") from None
    garbage = GarbageCollection()
    garbage.take_over()
    while signal.sigtimedwait(STOP_SIGNALS, HEARTBEAT_SECONDS) is None:
        worker.beat("ready")
        garbage.run(*worker.calls_so_far)
    # Where a thread that every call needs is gone, no call can end in order.
    _drain(worker, 0 if failed else settings.sip.drain_timeout)
    worker.stop()
    return 1 if failed else 0


def _drain(worker: VoiceWorker, seconds: float) -> None:
    """Take no new calls, and wait until the running ones have ended, `seconds` are over, or a second signal comes."""
    worker.drain()
    deadline, beat_at = time.monotonic() + seconds, time.monotonic() + HEARTBEAT_SECONDS
    while worker.busy and (left := deadline - time.monotonic()) > 0:
        if time.monotonic() >= beat_at:
            worker.beat("draining")
            beat_at = time.monotonic() + HEARTBEAT_SECONDS
        if signal.sigtimedwait(STOP_SIGNALS, min(left, DRAIN_LOOK_SECONDS)) is not None:
            log.warning("a second signal: calls end at once")
            return


def _watch_threads() -> list[str]:
    """Log what ends a thread; a vital one ends the process, which is started again. The vital ones that failed."""
    failed: list[str] = []

    def on_failure(failure: threading.ExceptHookArgs) -> None:
        name = failure.thread.name if failure.thread else "unknown"
        log.critical("thread=%s failed", name, exc_info=failure.exc_value)
        if name in VITAL_THREADS:
            failed.append(name)
            os.kill(os.getpid(), signal.SIGTERM)

    threading.excepthook = on_failure
    return failed


def _asked_to_stop() -> bool:
    return bool(signal.sigpending() & set(STOP_SIGNALS))


def _wait_switched_off() -> int:
    """Stay alive without answering: whoever supervises us must not start us again and again."""
    log.warning('the voice worker is switched off: [proxy] addons does not name "voicemail"')
    signal.sigwait(STOP_SIGNALS)
    return 0


if __name__ == "__main__":
    keep_none_for_threads()
    sys.exit(main())
