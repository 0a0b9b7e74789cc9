"""What is done about something that takes long, by one thread for all of it: most never takes so long."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

log = logging.getLogger(__name__)
# Does what is to be done; seconds after which it is to be done once more, or None.
Act = Callable[[], float | None]


@dataclass(eq=False)
class _Alarm:
    """due: when it goes off (monotonic); None: no more."""

    due: float | None
    act: Act


class Alarms:
    """Alarms of one kind: they wait for each other. Their thread starts with the first, and ends when it finds none."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._set: list[_Alarm] = []
        self._thread: threading.Thread | None = None
        self._wakes = 0.0

    @contextmanager
    def after(self, seconds: float, act: Act) -> Iterator[None]:
        """Have act() run where the block takes longer than this; it may still run when the block ends just then."""
        due = time.monotonic() + seconds
        alarm = _Alarm(due, act)
        with self._changed:
            self._set.append(alarm)
            # A thread of before a fork is not alive.
            if self._thread is None or not self._thread.is_alive():
                self._wakes = due
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            elif due < self._wakes:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._set.remove(alarm)

    def _run(self) -> None:
        while True:
            with self._changed:
                waiting = [alarm for alarm in self._set if alarm.due is not None]
                if not waiting:
                    self._thread = None
                    return
                now, self._wakes = time.monotonic(), min(alarm.due or 0.0 for alarm in waiting)
                if self._wakes > now:
                    # Blocks that end do not wake it: it looks again when the first of them would have been due.
                    self._changed.wait(self._wakes - now)
                    continue
                due = [alarm for alarm in waiting if (alarm.due or 0.0) <= now]
            for alarm in due:
                self._go_off(alarm)

    def _go_off(self, alarm: _Alarm) -> None:
        try:
            again = alarm.act()
        except Exception:
            log.exception("%s: an alarm failed", self._name)
            again = None
        alarm.due = None if again is None else time.monotonic() + again
