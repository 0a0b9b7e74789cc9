"""`python -m app.launch.supervision FILE PARENT`: supervisor, told about signals at once and leaving no orphan.

supervisor looks at a signal when its poll of at most 1 s ends: Python restarts a poll that a signal
interrupted (PEP 475). A stop in order takes several such steps, too many for the 5 s of `make run`.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions
from supervisor.poller import PollPoller
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor

from app.launch.orphans import adopt_orphans, end_with_parent, kill_children


class PromptPoller(PollPoller):
    """Ends its poll when a signal arrives."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self._signals, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self.register_readable(self._signals)

    def poll(self, timeout: float) -> tuple[list[int], list[int]]:
        """Descriptors to read and to write, at the latest after `timeout` seconds."""
        readable, writable = super().poll(timeout)
        if self._signals in readable:
            os.read(self._signals, 4096)
            readable.remove(self._signals)
        return readable, writable


class Options(ServerOptions):
    """supervisor's options, with children that end when supervisor is killed."""

    def __init__(self) -> None:
        super().__init__()
        self._own_pid = os.getpid()
        self.poller = PromptPoller(self)

    def setpgrp(self) -> None:
        """Called in each child between fork and exec."""
        super().setpgrp()
        end_with_parent(self._own_pid)


class PromptSupervisor(Supervisor):
    """supervisor; a second SIGTERM ends everything without further waiting."""

    def handle_signal(self) -> None:
        """React to the signals received since the last call."""
        stopping = self.stopping
        while (signum := self.options.get_signal()) is not None:
            if signum != signal.SIGTERM:
                continue
            if stopping:
                kill_children()
                raise asyncore.ExitNow
            self.options.mood = SupervisorStates.SHUTDOWN
            stopping = True


def main(file: str, parent: int) -> int:
    """Run what `file` lists until SIGTERM; returns when nothing that it started is left."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    end_with_parent(parent)
    adopt_orphans()
    options = Options()
    options.realize(["-n", "-s", "-c", file])
    options.first, options.test = True, False
    try:
        PromptSupervisor(options).main()
    except asyncore.ExitNow:
        pass
    finally:
        kill_children()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
