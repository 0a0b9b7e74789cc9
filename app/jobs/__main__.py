"""`python -m app.jobs worker` serves the queues of this host, `python -m app.jobs relay` feeds them."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time

from app.config import Settings, SettingsError, load_settings
from app.extensions import db
from app.jobs.logs import set_up_logging
from app.jobs.run import application

log = logging.getLogger("app.jobs")
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
TEND_SECONDS = 1.0
JOIN_SECONDS = 2.0
SWEEP_SECONDS = 3600.0


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; 0 after a clean stop, 2 where a setting is wrong."""
    parser = argparse.ArgumentParser(prog="python -m app.jobs", description="Deliveries and jobs of the voice side.")
    parser.add_argument("process", choices=("worker", "relay"))
    process = parser.parse_args(arguments).process
    set_up_logging("jobs" if process == "worker" else "relay")
    # Blocked here and waited for below: a handler could run in the midst of anything.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        settings = load_settings()
        app = application(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for warning in settings.warnings:
        log.warning("%s", warning)
    if process == "relay":
        _relay()
    else:
        with app.app_context():
            # The children make connections of their own.
            db.engine.dispose()
        _worker(settings)
    return 0


def _worker(settings: Settings) -> None:
    from app.jobs.worker import JobWorkers
    from app.storage import cache

    workers = JobWorkers(settings)
    workers.tend()
    log.info("serving the queues of %s", settings.host_name)
    next_sweep = 0.0
    while signal.sigtimedwait(STOP_SIGNALS, TEND_SECONDS) is None:
        workers.tend()
        if time.monotonic() >= next_sweep:
            # Another host may have purged what lies here, and nobody else looks into this host's cache.
            cache.sweep(settings)
            next_sweep = time.monotonic() + SWEEP_SECONDS
    workers.end()


def _relay() -> None:
    from app.jobs.relay import Relay

    stop = threading.Event()
    # A thread that may be left behind: a query that hangs must not keep the process from ending.
    thread = threading.Thread(target=Relay(application(), stop).run, name="relay", daemon=True)
    thread.start()
    log.info("looking for due deliveries")
    signal.sigwait(STOP_SIGNALS)
    stop.set()
    thread.join(JOIN_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
