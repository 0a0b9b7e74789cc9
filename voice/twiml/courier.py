"""The courier: a process beside the media process that goes for what programmed calls need from outside.

So no request, no parsing and no decoding ever holds up the process that paces media. It has no database. Requests and
answers are JSON lines on a socket pair: {"id", "ask", ...} and {"id", "value"} or {"id", "failed"} (errand_plain.py).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from app.config import load_settings
from voice.helper_serving import Worker, begin, one_line
from voice.twiml import codes
from voice.twiml.errand_plain import ask_of, from_exchanges, from_failure, from_fetched, from_sound
from voice.twiml.errand_runner import Runner
from voice.twiml.errands import ErrandFailed, Errands, Exchange

log = logging.getLogger(__name__)
# Each is a thread that mostly waits for a server. Callbacks have room of their own: a server of callbacks that hangs
# must not keep documents away.
MOST_ERRANDS = MOST_CALLBACKS = 200
NICENESS = 3
TIDY_SECONDS = 60.0
# For callbacks of the worker's last calls, when it stops.
END_SECONDS = 1.5


class Room:
    """Room for so many errands at a time."""

    def __init__(self, most: int) -> None:
        self.most, self._taken = most, 0
        self._changed = threading.Condition()

    def enter(self) -> bool:
        """Take a place; False where none is free."""
        with self._changed:
            if self._taken >= self.most:
                return False
            self._taken += 1
            return True

    def leave(self) -> None:
        """Free a place."""
        with self._changed:
            self._taken -= 1
            self._changed.notify_all()

    def wait_empty(self, seconds: float) -> None:
        """Wait until all have left, or so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken, seconds)


class Courier:
    """Serves one voice worker until its end of the socket closes."""

    def __init__(
        self, errands: Errands, worker: Worker, most: int = MOST_ERRANDS, most_callbacks: int = MOST_CALLBACKS
    ) -> None:
        self._errands, self._worker = errands, worker
        self._room, self._callback_room = Room(most), Room(most_callbacks)

    def run(self) -> None:
        """Answer requests until the worker is gone, and give those that are under way some seconds more."""
        for request in self._worker.requests():
            if request["ask"] == "over":
                self._errands.over(request["call_sid"])
                continue
            room = self._callback_room if request["ask"] == "callback" else self._room
            if not room.enter():
                self._refuse(request, f"More than {room.most} requests of calls are under way; this one was not begun.")
                continue
            try:
                self._go(request)
            except RuntimeError:
                # No thread is to be had now.
                room.leave()
                self._refuse(request, "This machine is too busy to fetch anything.")
        self._callback_room.wait_empty(END_SECONDS)

    def _go(self, request: dict[str, Any]) -> None:
        """Begin an errand; RuntimeError where there is no thread for it."""
        if request["ask"] == "callback":
            self._errands.callback(ask_of(request["errand"]), lambda exchanges: self._called_back(request, exchanges))
        else:
            threading.Thread(target=self._serve, args=(request,), name="errand", daemon=True).start()

    def _refuse(self, request: dict[str, Any], text: str) -> None:
        if request["ask"] == "callback":
            self._worker.say({"called_back": request["id"], "exchanges": [], "error": text})
        else:
            self._worker.say({"id": request["id"], "failed": from_failure(ErrandFailed(codes.INTERNAL, text))})

    def _serve(self, request: dict[str, Any]) -> None:
        try:
            self._worker.say({"id": request["id"], **self._done(request)})
        finally:
            self._room.leave()

    def _done(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"value": self._value(request)}
        except ErrandFailed as error:
            return {"failed": from_failure(error)}
        except Exception as error:
            log.exception("ask=%s failed", request.get("ask"))
            text = f"Something failed on this side ({one_line(error)}); the log tells more."
            return {"failed": from_failure(ErrandFailed(codes.INTERNAL, text))}

    def _value(self, request: dict[str, Any]) -> dict[str, Any]:
        ask = request["ask"]
        if ask == "document":
            return from_fetched(self._errands.document(ask_of(request["errand"])))
        if ask == "sound":
            return from_sound(self._errands.sound(request["url"]))
        if ask == "speech":
            return from_sound(self._errands.speech(request["text"], request["language"], request["voice"]))
        raise ValueError(f"unknown request {ask!r}")

    def _called_back(self, request: dict[str, Any], exchanges: tuple[Exchange, ...]) -> None:
        try:
            self._worker.say({"called_back": request["id"], "exchanges": from_exchanges(exchanges)})
        finally:
            self._callback_room.leave()


def _tidy_now_and_then(tidy: Callable[[], object]) -> None:
    while True:
        time.sleep(TIDY_SECONDS)
        try:
            tidy()
        except Exception as error:  # noqa: BLE001 - where chores are run
            log.error("the cache of sounds cannot be tidied: %s", one_line(error))


def main() -> None:
    """Run as `python -m voice.twiml.courier FD` by the voice worker."""
    channel = begin("courier")
    os.nice(NICENESS)
    runner = Runner(load_settings())
    threading.Thread(target=_tidy_now_and_then, args=(runner.tidy,), name="tidy", daemon=True).start()
    Courier(runner, Worker(channel)).run()
    runner.close()
    # Requests that did not end in time are given up.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
