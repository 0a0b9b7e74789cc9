"""Traces on their way into the database: told to the keeper, gathered there, written some at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from voice.twiml.trace import NOTICE, CallState, Entry

log = logging.getLogger(__name__)
# Lines of a trace; a script that goes round in circles is understood from fewer.
MOST_STEPS = 500
LONGEST_TEXT, MOST_ITEMS, DEEPEST = 4000, 100, 5
# What comes within this time is written together.
PAUSE_SECONDS, RETRY_SECONDS = 0.3, 2.0
MOST_WAITING = 10_000
STATE, STEP = "call state", "call step"

Plain = dict[str, Any]


class KeeperLedger:
    """The ledger of a voice worker. tell(request) hands something to the keeper, and waits for no answer."""

    def __init__(self, tell: Callable[[Plain], object]) -> None:
        self._tell = tell

    def call(self, state: CallState) -> None:
        """The call is now like this."""
        self._tell({"ask": STATE, "state": plain(vars(state))})

    def entry(self, entry: Entry) -> None:
        """A new line, or one that is written again. Of a trace without end the beginning is kept, and that is said."""
        if entry.position > MOST_STEPS:
            return
        if entry.position == MOST_STEPS:
            entry = replace(entry, kind=NOTICE, what=f"The trace ends here: it has {MOST_STEPS} lines.", detail={})
            entry = replace(entry, outcome="", seconds=None)
        self._tell({"ask": STEP, "entry": plain(vars(entry))})


class TraceWriter:
    """Gathers what ledgers tell, and writes it. take() is for any thread, run() for one of its own.

    write(states, entries) writes all of it in one transaction; where it raises, it is tried again. While it cannot
    write for long, the oldest lines of traces are given up, so that memory is bounded.
    """

    def __init__(self, write: Callable[[Sequence[Plain], Sequence[Plain]], object]) -> None:
        self._write = write
        self._changed = threading.Condition()
        # In the order in which they came, by sid, and by sid and position.
        self._states: dict[Any, Plain] = {}
        self._entries: dict[Any, Plain] = {}
        self._over = False
        self._given_up = 0
        self._failing = False

    def take(self, request: Mapping[str, Any]) -> bool:
        """Something that a ledger told; False where it is not from one."""
        ask, told = request.get("ask"), request.get("state" if request.get("ask") == STATE else "entry")
        if ask not in (STATE, STEP):
            return False
        if not isinstance(told, dict):
            return True
        with self._changed:
            if ask == STATE:
                self._put(self._states, told.get("sid"), told)
            else:
                self._put(self._entries, (told.get("call_sid"), told.get("position")), told)
            self._changed.notify()
        return True

    def run(self) -> None:
        """Write what comes until stop(), and then what is left, once."""
        while self._wait():
            self.flush()
        self.flush()

    def stop(self) -> None:
        """Let run() return."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def flush(self) -> bool:
        """Write what waits now; False where that failed: it waits on, unless something newer has taken its place."""
        with self._changed:
            states, entries = self._states, self._entries
            self._states, self._entries = {}, {}
        if not states and not entries:
            return True
        try:
            self._write(tuple(states.values()), tuple(entries.values()))
        except Exception as error:  # noqa: BLE001 - whatever the database raises; a trace must not end the keeper
            self._take_back(states, entries, error)
            return False
        self._tell_of_end()
        return True

    def _wait(self) -> bool:
        """Wait until there is something, and a moment longer; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._states or self._entries)
            if not self._over:
                self._changed.wait_for(lambda: self._over, RETRY_SECONDS if self._failing else PAUSE_SECONDS)
            return not self._over

    def _put(self, into: dict[Any, Plain], key: Any, value: Plain) -> None:
        into[key] = value
        while len(into) > MOST_WAITING:
            del into[next(iter(into))]
            self._given_up += 1

    def _take_back(self, states: dict[Any, Plain], entries: dict[Any, Plain], error: Exception) -> None:
        with self._changed:
            self._states = self._together(states, self._states)
            self._entries = self._together(entries, self._entries)
            began, self._failing = not self._failing, True
        if began:
            text = str(error).partition("\n")[0][:300]
            log.error("traces of calls cannot be written, it is tried again: %s: %s", type(error).__name__, text)

    def _together(self, older: dict[Any, Plain], newer: dict[Any, Plain]) -> dict[Any, Plain]:
        """Both, what is newer in the place of what is older, and behind it, since the first are given up first."""
        for key, value in newer.items():
            older.pop(key, None)
            self._put(older, key, value)
        return older

    def _tell_of_end(self) -> None:
        if not self._failing:
            return
        with self._changed:
            self._failing, given_up, self._given_up = False, self._given_up, 0
        log.info("traces of calls are written again; %d lines were given up meanwhile", given_up)


class WriterLedger(KeeperLedger):
    """The ledger of a simulated call: the same, with the writer in this process."""

    def __init__(self, writer: TraceWriter) -> None:
        super().__init__(writer.take)


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON can carry it, and not too long: it goes through a socket of the process that paces media."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "…"
    if depth > DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {str(key)[:LONGEST_TEXT]: plain(one, depth + 1) for key, one in list(value.items())[:MOST_ITEMS]}
    if isinstance(value, Sequence | set | frozenset):
        return [plain(one, depth + 1) for one in list(value)[:MOST_ITEMS]]
    return str(value)[:LONGEST_TEXT]
