"""Starts supervisor with every process, waits until all is ready, stays until it is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType

from flask import Flask

from app import create_app
from app.config import Settings
from app.errors import AppError
from app.hosts import bracketed
from app.launch import first_start, processes, ready
from app.launch.instance import log_folder
from app.launch.log_watch import LogWatch
from app.launch.orphans import adopt_orphans, kill_children
from app.launch.terminal import Terminal
from app.launch.test_call import TestCall

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_SECONDS = 0.2
PROGRESS_SECONDS = 10.0


class Stop(Exception):
    """Someone asked for an end while something was awaited."""


class Failed(Exception):
    """supervisor itself is gone."""


def run(settings: Settings, terminal: Terminal, held: int) -> int:
    """Run everything until a stop signal; 0 after a clean stop, 1 where supervisor ended by itself.

    `held` is the descriptor of the instance's lock; supervisor holds it too, so that it is free only when all ended.
    """
    app = create_app(settings)
    created = first_start.fill_empty_instance(app, settings)
    if text := first_start.announcement(created, settings.public_url):
        terminal.say(text)
    return House(app, settings, terminal, held).run(first=created.pin is not None)


class House:
    """All processes of an instance under one supervisor."""

    def __init__(self, app: Flask, settings: Settings, terminal: Terminal, held: int) -> None:
        self._app, self._settings, self._terminal, self._held = app, settings, terminal, held
        self._stops = 0
        self._groups = processes.groups(settings)
        names = [program.name for group in self._groups for program in group.programs]
        self._logs = LogWatch(log_folder(settings), names)

    def run(self, *, first: bool) -> int:
        """Start, wait, stay, stop."""
        for signum in STOP_SIGNALS:
            # nohup asks for a life after the terminal.
            if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:
                signal.signal(signum, self._on_signal)
        began = datetime.now(UTC)
        supervisor = self._start()
        try:
            self._wait_ready(supervisor, began)
            if first:
                self._place_test_call(supervisor)
            self._wait(supervisor, lambda: False)
        except Stop:
            self._stop(supervisor)
            return 0
        except Failed:
            self._terminal.complain(f"supervisor ended; see {log_folder(self._settings) / 'supervisor.log'}")
            return 1
        finally:
            kill_children()
        return 0

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self._stops += 1

    def _start(self) -> subprocess.Popen[bytes]:
        file = processes.write_supervisor_file(self._settings, self._groups)
        adopt_orphans()
        # A session of its own: Ctrl-C comes to us alone, and we end the processes in order.
        return subprocess.Popen(
            [sys.executable, "-m", "app.launch.supervision", str(file), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=[self._held],
        )

    def _wait_ready(self, supervisor: subprocess.Popen[bytes], began: datetime) -> None:
        settings, waiting = self._settings, ready.parts(self._app, self._settings, began)

        def all_ready() -> bool:
            waiting[:] = [part for part in waiting if not part.ready()]
            return not waiting

        self._terminal.say("Starting ...")
        self._wait(supervisor, all_ready, lambda: f"waiting for {' and '.join(part.name for part in waiting)}")
        sip = f"SIP on UDP {bracketed(settings.sip.host)}:{settings.sip.port}"
        if not settings.voice_enabled:
            sip = 'the voice worker is switched off: [proxy] addons does not name "voicemail"'
        self._terminal.say(f"Voicemail Pro is ready: {settings.public_url}/  ({sip}). Ctrl-C stops it.")

    def _place_test_call(self, supervisor: subprocess.Popen[bytes]) -> None:
        if not self._settings.voice_enabled:
            return
        extension = first_start.EXTENSION
        call = TestCall(self._app, extension, self._settings.language)
        self._terminal.say(f"A test call leaves a message in mailbox {extension}; it takes about half a minute ...")
        try:
            call.start()
        except AppError as error:
            self._terminal.complain(f"The test call was not placed: {error.message}")
            return
        self._wait(supervisor, lambda: call.verdict() is not None, lambda: "the test call is under way")
        verdict = call.verdict()
        if verdict is None or not verdict.ok:
            reason = verdict.detail if verdict else "its job is not known any more"
            self._terminal.complain(
                f"The test call left no message: {reason}. The mailbox's page has a button for another."
            )
            return
        self._terminal.say(f"Hear it: {self._settings.public_url}/console/voicemail/{extension}")

    def _wait(
        self,
        supervisor: subprocess.Popen[bytes],
        condition: Callable[[], bool],
        progress: Callable[[], str] | None = None,
    ) -> None:
        """Return when `condition` holds; show errors meanwhile. Stop when asked to, Failed without supervisor."""
        report_at = time.monotonic() + PROGRESS_SECONDS
        while True:
            for line in self._logs.news():
                self._terminal.complain(line)
            if self._stops:
                raise Stop
            if supervisor.poll() is not None:
                raise Failed
            if condition():
                return
            if progress and time.monotonic() >= report_at:
                report_at += PROGRESS_SECONDS
                self._terminal.say(f"  {progress()} ...")
            time.sleep(LOOK_SECONDS)

    def _stop(self, supervisor: subprocess.Popen[bytes]) -> None:
        """End all; a further signal ends it at once. What a call recorded by then is in the spool."""
        self._terminal.say("Stopping; calls in progress are kept ...")
        supervisor.terminate()
        forced = False
        while supervisor.poll() is None:
            if self._stops > 1 and not forced:
                forced = True
                self._terminal.say("Ending at once.")
                supervisor.terminate()
            time.sleep(LOOK_SECONDS / 4)
        self._terminal.say("Stopped.")
