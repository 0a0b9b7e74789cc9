"""What subscriptions want to know of mailboxes and have kept: asked of the keeper in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from voice import router
from voice.errors import KeeperAway
from voice.keeper_client import KeeperClient
from voice.mailbox import MessageCounts
from voice.sip import SipError, Subscriptions

log = logging.getLogger(__name__)
MAX_QUESTIONS = 500
# Counts of so many mailboxes are asked for, and sent, at a time: calls get the SIP thread in between.
MAILBOXES_AT_ONCE = 50
ROWS_AT_ONCE = 200
RETRY_SECONDS = 2.0
Answer = MessageCounts | SipError | None
Question = tuple[list[str], Callable[[Answer], None]]


class MessageWaitingDesk:
    """The desk of Subscriptions. post: has something done in the SIP thread; port: names the worker on its host.

    While the keeper or the database is away, what is to be counted and written waits, once a mailbox and subscription.
    """

    def __init__(
        self,
        keeper: KeeperClient,
        subscriptions: Subscriptions,
        post: Callable[[Callable[[], None]], object],
        port: int,
    ) -> None:
        self._keeper, self._subscriptions, self._post, self._port = keeper, subscriptions, post, port
        self._changed = threading.Condition()
        self._questions: deque[Question] = deque()
        self._rows: dict[str, dict[str, Any] | None] = {}
        self._uncounted: dict[str, None] = {}
        self._loaded = self._stopping = False
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._run, name="message waiting", daemon=True)

    def start(self) -> None:
        """Begin by loading what the process before us had."""
        self._subscriptions.desk = self
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Write down what is still to be written, where that can be done now."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)

    # -- from the SIP thread

    def find(self, users: list[str], on_found: Callable[[Answer], None]) -> bool:
        """See voice.sip.subscriptions.Desk."""
        with self._changed:
            if len(self._questions) >= MAX_QUESTIONS:
                return False
            self._questions.append((users, on_found))
            self._changed.notify()
        return True

    def count(self, mailbox_ids: Iterable[str]) -> None:
        """See voice.sip.subscriptions.Desk."""
        with self._changed:
            self._uncounted.update(dict.fromkeys(mailbox_ids))
            self._changed.notify()

    def keep(self, key: str, row: dict[str, Any] | None) -> None:
        """See voice.sip.subscriptions.Desk. Of a subscription only the last state is written."""
        with self._changed:
            self._rows.pop(key, None)
            self._rows[key] = row
            self._changed.notify()

    def announced(self, mailbox_id: str | None) -> None:
        """Somebody says that counts changed; None where announcements may have been missed. From any thread."""
        self._post(partial(self._subscriptions.changed, mailbox_id))

    # -- the thread

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._has_work():
                    if self._stopping:
                        return
                    self._changed.wait(RETRY_SECONDS)
            try:
                self._work()
            except KeeperAway as error:
                log.warning("subscriptions wait for the keeper: %s", error)
                self._retry_at = time.monotonic() + RETRY_SECONDS
                if self._stopping:
                    return

    def _has_work(self) -> bool:
        """Questions are answered at once, with a refusal if need be; the rest waits for the keeper."""
        if self._questions:
            return True
        if time.monotonic() < self._retry_at:
            return False
        if self._stopping:
            return bool(self._rows)
        return bool(not self._loaded or self._rows or self._uncounted)

    def _work(self) -> None:
        if self._questions:
            self._answer(*self._questions.popleft())
        elif not self._loaded and not self._stopping:
            rows = self._keeper.load_subscriptions(self._port)
            self._loaded = True
            self._post(partial(self._subscriptions.restore, rows))
        elif self._rows:
            self._write()
        else:
            self._count()

    def _answer(self, users: list[str], on_found: Callable[[Answer], None]) -> None:
        extensions = [extension for extension in map(router.normalise, users) if extension]
        answer: Answer
        try:
            answer = self._keeper.find_counts(extensions)
        except KeeperAway as error:
            log.warning("a SUBSCRIBE is refused, no mailbox can be looked up: %s", error)
            answer = SipError(503, "no mailbox can be looked up", (("Retry-After", "30"),))
        self._post(partial(on_found, answer))

    def _write(self) -> None:
        with self._changed:
            rows = dict(list(self._rows.items())[:ROWS_AT_ONCE])
        self._keeper.save_subscriptions(self._port, rows)
        with self._changed:
            for key, row in rows.items():
                if self._rows.get(key) is row:
                    del self._rows[key]

    def _count(self) -> None:
        with self._changed:
            wanted = list(self._uncounted)[:MAILBOXES_AT_ONCE]
            for mailbox_id in wanted:
                del self._uncounted[mailbox_id]
        try:
            found = self._keeper.count_messages(wanted)
        except KeeperAway:
            self.count(wanted)
            raise
        self._post(partial(self._subscriptions.counted, {key: found.get(key) for key in wanted}))
