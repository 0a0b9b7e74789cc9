"""The board: the live state of a worker as the keeper publishes it for the portal, gathered from many small changes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

# What comes within this time is published together: calls begin and end by hundreds.
PAUSE_SECONDS = 1.0
LISTED_CALLS = 500
WORKER_PREFIX, CALLS_PREFIX = "voicemail:worker:", "voicemail:calls:"


class Board:
    """One worker's state and calls. take() is for one thread, the keeper's reader; run() for another.

    publish(values) writes values by key, each with a short life; it may be slow, and fails silently.
    """

    def __init__(self, publish: Callable[[dict[str, Any]], None]) -> None:
        self._publish = publish
        self._changed = threading.Condition()
        self._dirty = self._over = False
        self._states: dict[str, dict[str, Any]] = {}
        # Each call with the round of tell_all() in which it was told of last.
        self._calls: dict[int, tuple[int, dict[str, Any]]] = {}
        self._round = 0

    @property
    def keys(self) -> list[str]:
        """Everything that was published."""
        return [key for name in self._states for key in (name, _calls_key(name))]

    def take(self, request: dict[str, Any]) -> bool:
        """A request of the worker; False where it is not for the board."""
        ask = request["ask"]
        with self._changed:
            if ask == "heartbeat":
                self._states[request["key"]] = request["state"]
            elif ask == "call":
                self._note(request["call"])
            elif ask == "call over":
                self._calls.pop(request["call"], None)
            elif ask == "calls":
                self._round = request["round"]
                for call in request["calls"]:
                    self._note(call)
            elif ask == "calls end":
                self._round = request["round"]
                # What was not told of in this round is over, however we missed its end.
                self._calls = {number: row for number, row in self._calls.items() if row[0] >= self._round}
            else:
                return False
            # Without a heartbeat nobody knows whose calls these are.
            self._dirty = bool(self._states)
            self._changed.notify()
            return True

    def run(self, stopping: threading.Event) -> None:
        """Publish what changed, once in PAUSE_SECONDS at most, until stop()."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._dirty or self._over)
                if self._over:
                    return
                self._dirty = False
                values = self._values()
            self._publish(values)
            stopping.wait(PAUSE_SECONDS)

    def stop(self) -> None:
        """Let run() return."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def _note(self, call: dict[str, Any]) -> None:
        # A call that began within a round is not in that round's list.
        before = self._calls.get(call["id"])
        self._calls[call["id"]] = (max(before[0], self._round) if before else self._round + 1, call)

    def _values(self) -> dict[str, Any]:
        calls = [call for _, call in self._calls.values()]
        states = Counter(str(call.get("state")) for call in calls)
        values: dict[str, Any] = {}
        for key, state in self._states.items():
            values[key] = state | {"calls": len(calls), "states": dict(states)}
            values[_calls_key(key)] = {"total": len(calls), "calls": calls[:LISTED_CALLS]}
        return values


def _calls_key(worker_key: str) -> str:
    return CALLS_PREFIX + worker_key.removeprefix(WORKER_PREFIX)
