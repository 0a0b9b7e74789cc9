"""The keeper: a process beside the media process that owns the database work of a voice worker.

It looks mailboxes up, commits finished takes, adopts what crashes left in the spool, keeps the
snapshot fresh, writes the traces of programmed calls and publishes the live state of the worker; so
no query, no hash and no import of the web stack ever holds up the process that paces media.
Requests and answers are JSON lines on a socket pair:
{"id", "ask", ...} and {"id", "value"} or {"id", "error"}.
"""

from __future__ import annotations

import logging
import math
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from app.config import Settings, load_settings
from voice.board import Board
from voice.errors import SpoolError
from voice.helper_serving import Worker, begin, one_line, stand_back
from voice.mailbox import snapshot_path, to_plain, write_snapshot
from voice.owner import plain
from voice.owner_store import OwnerStore
from voice.store import Store
from voice.twiml.ledger import TraceWriter

log = logging.getLogger(__name__)
RECONCILE_SECONDS = 60.0
SNAPSHOT_SECONDS = 5.0
RETRY_SECONDS = 2.0
SETTLE_SECONDS = 5.0
PROMPT_SECONDS = 3.0
WORKERS = 4
# Hashes of PINs, of which so many are computed at a time: they are behind all else on this machine.
PIN_WORKERS, PIN_NICENESS = 2, 5
# Audio that owners listen to: a store that is slow holds up nobody but them.
SOUND_WORKERS = 4
PIN_REQUESTS = frozenset(("log_in", "pin_is", "change_pin"))
SOUND_REQUESTS = frozenset(("audio", "recipient", "forward", "greeting", "set_greeting", "remove_greeting"))


class Keeper:
    """Serves one voice worker until its end of the socket closes."""

    def __init__(self, settings: Settings, channel: socket.socket) -> None:
        self._settings, self._worker = settings, Worker(channel)
        self._store = Store(settings)
        self._owners = OwnerStore(settings, self._store)
        self._stopping = threading.Event()
        self._owed: set[str] = set()
        self._board = Board(self._store.publish)
        self._traces = TraceWriter(self._store.write_trace)

    def run(self) -> None:
        """Answer requests until the worker is gone; work begun is finished first."""
        chores = threading.Thread(target=self._chores, name="chores")
        board = threading.Thread(target=self._board.run, args=(self._stopping,), name="board")
        traces = threading.Thread(target=self._traces.run, name="traces")
        chores.start()
        board.start()
        traces.start()
        # A daemon: it may wait for Redis for some seconds when all else has ended.
        threading.Thread(target=self._listen, name="announcements", daemon=True).start()
        # A daemon too, and no chore: a store that is slow must not hold up the others.
        threading.Thread(target=self._watch_prompts, name="prompts", daemon=True).start()
        try:
            with (
                ThreadPoolExecutor(WORKERS, thread_name_prefix="keeper") as pool,
                ThreadPoolExecutor(
                    PIN_WORKERS, thread_name_prefix="pins", initializer=stand_back, initargs=(PIN_NICENESS,)
                ) as pins,
                ThreadPoolExecutor(SOUND_WORKERS, thread_name_prefix="sounds") as sounds,
            ):
                for request in self._worker.requests():
                    # In order, and before anything that takes its time.
                    if not self._board.take(request) and not self._traces.take(request):
                        name = request.get("name")
                        chosen = pins if name in PIN_REQUESTS else sounds if name in SOUND_REQUESTS else pool
                        chosen.submit(self._serve, request)
        finally:
            self._stopping.set()
            self._board.stop()
            self._traces.stop()
            for thread in (chores, board, traces):
                thread.join()
        self._store.withdraw(self._board.keys)

    def _serve(self, request: dict[str, Any]) -> None:
        if time.monotonic() > request.get("until", math.inf):
            # While others were served, whoever asked gave up waiting.
            return
        try:
            answer = {"id": request["id"], "value": self._answer(request)}
        except Exception as error:  # noqa: BLE001 - where requests are run; the caller gets the reason
            log.error("ask=%s failed: %s", request.get("ask"), one_line(error))
            answer = {"id": request.get("id"), "error": one_line(error)}
        if request.get("id") is not None:
            self._worker.say(answer)

    def _listen(self) -> None:
        """Pass on whose counts changed (None: perhaps anybody's)."""
        for mailbox_id in self._store.announcements(self._stopping.is_set):
            self._worker.say({"id": None, "announced": mailbox_id})

    def _watch_prompts(self) -> None:
        """Tell the worker of custom prompts, at the start and as they change."""
        told: list[dict[str, Any]] | None = None
        while not self._stopping.is_set():
            try:
                rows = self._store.custom_prompts()
            except Exception as error:  # noqa: BLE001 - where chores are run
                log.warning("custom prompts cannot be looked up: %s", one_line(error))
            else:
                if rows != told:
                    self._worker.say({"id": None, "prompts": rows})
                    told = rows
            self._stopping.wait(PROMPT_SECONDS)

    def _answer(self, request: dict[str, Any]) -> Any:
        ask = request["ask"]
        if ask == "ready":
            return True
        if ask == "mailbox":
            facts = self._store.find_mailbox(request["extensions"])
            return to_plain([facts])[0] if facts else None
        if ask == "script":
            script, facts = self._store.find_script(request["dialled"], request["extensions"])
            return {"script": asdict(script) if script else None, "mailbox": to_plain([facts])[0] if facts else None}
        if ask == "save":
            return self._save(request["take"])
        if ask == "adopt":
            return self._store.adopt([request["take"]])
        if ask == "owner":
            until = request.get("until", math.inf)
            return plain(self._owners.answer(request["name"], request["arguments"], until))
        if ask in ("find_counts", "count_messages", "load_subscriptions", "save_subscriptions"):
            return self._answer_subscriptions(ask, request)
        if ask in ("find_owed", "claim_lamps", "save_lamps"):
            return self._answer_lamps(ask, request)
        raise ValueError(f"unknown request {ask!r}")

    def _answer_subscriptions(self, ask: str, request: dict[str, Any]) -> Any:
        if ask == "find_counts":
            found = self._store.find_counts(request["extensions"])
            return asdict(found) if found else None
        if ask == "count_messages":
            return [asdict(counts) for counts in self._store.count_messages(request["mailboxes"])]
        if ask == "load_subscriptions":
            return self._store.load_subscriptions(request["port"])
        self._store.save_subscriptions(request["port"], request["rows"])
        return True

    def _answer_lamps(self, ask: str, request: dict[str, Any]) -> Any:
        port = request["port"]
        if ask == "find_owed":
            return self._store.find_owed(port, request["pbx"], request["limit"])
        if ask == "claim_lamps":
            return self._store.claim_lamps(port, request["pbx"], request["mailboxes"])
        self._store.save_lamps(port, request["told"])
        return True

    def _save(self, take_id: str) -> bool:
        try:
            saved = self._store.save(take_id)
        except SpoolError:
            # Trying again at once would not help; the reconciler comes by.
            self._owed.discard(take_id)
            raise
        except Exception:
            self._owed.add(take_id)
            raise
        self._owed.discard(take_id)
        return saved

    def _chores(self) -> None:
        """The reconciler, the snapshot, and takes whose commit failed, each at its own pace."""
        wait = 0.0
        elapsed = {"reconcile": RECONCILE_SECONDS, "snapshot": SNAPSHOT_SECONDS, "owed": RETRY_SECONDS, "tidy": 0.0}
        elapsed["lamps"] = 0.0
        while not self._stopping.wait(wait):
            wait = 0.5
            for name, chore, period in (
                ("owed", self._retry_owed, RETRY_SECONDS),
                ("snapshot", self._refresh_snapshot, SNAPSHOT_SECONDS),
                ("reconcile", self._store.reconcile, RECONCILE_SECONDS),
                ("tidy", self._owners.tidy, RECONCILE_SECONDS),
                ("lamps", self._store.settle_lamps, SETTLE_SECONDS),
            ):
                elapsed[name] += wait
                if elapsed[name] < period:
                    continue
                elapsed[name] = 0.0
                try:
                    chore()
                except Exception as error:  # noqa: BLE001 - where chores are run
                    log.error("chore=%s failed, it is tried again: %s", name, one_line(error))
                    # A reconciler that met a database that was away must not wait for a whole minute.
                    elapsed[name] = max(0.0, period - 5.0)

    def _retry_owed(self) -> None:
        for take_id in tuple(self._owed):
            self._save(take_id)
            log.info("take=%s committed at last", take_id)

    def _refresh_snapshot(self) -> None:
        facts = self._store.all_mailboxes()
        if facts is not None:
            write_snapshot(snapshot_path(self._settings.instance), facts)


def main() -> None:
    """Run as `python -m voice.keeper FD` by the voice worker."""
    # Its last takes are committed before it ends.
    channel = begin("keeper")
    Keeper(load_settings(), channel).run()


if __name__ == "__main__":
    main()
