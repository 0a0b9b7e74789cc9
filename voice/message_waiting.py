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
from voice.sip.lamp import PBX, Told
from voice.sip.unsolicited import Unsolicited

log = logging.getLogger(__name__)
MAX_QUESTIONS = 500
# Counts of so many mailboxes are asked for, and sent, at a time: calls get the SIP thread in between.
MAILBOXES_AT_ONCE = 50
ROWS_AT_ONCE = 200
RETRY_SECONDS = 2.0
# How often the database is asked whose lamps are behind, whatever was announced, and what devices were told is written.
LOOK_SECONDS, TOLD_SECONDS = 2.0, 0.5
# Mailboxes at the PBX that are told anew in each look: 10 a second.
REPEATED_AT_ONCE = 20
Answer = MessageCounts | SipError | None
Question = tuple[list[str], Callable[[Answer], None]]


class MessageWaitingDesk:
    """The desk of Subscriptions and Unsolicited. post: has something done in the SIP thread; port: names the worker.

    While the keeper or the database is away, what is to be counted and written waits, once a mailbox and subscription.
    Announcements come through Redis; what they missed is found in the database a few seconds later.
    """

    def __init__(
        self,
        keeper: KeeperClient,
        subscriptions: Subscriptions,
        post: Callable[[Callable[[], None]], object],
        port: int,
        unsolicited: Unsolicited | None = None,
    ) -> None:
        self._unsolicited = unsolicited
        self._keeper, self._subscriptions, self._post, self._port = keeper, subscriptions, post, port
        self._changed = threading.Condition()
        self._questions: deque[Question] = deque()
        self._rows: dict[str, dict[str, Any] | None] = {}
        self._uncounted: dict[str, None] = {}
        self._unclaimed: dict[str, None] = {}
        self._told: dict[str, Told] = {}
        self._told_at = self._look_at = 0.0
        self._behind: set[str] = set()
        self._started = time.monotonic()
        self._loaded = self._stopping = self._away = False
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._run, name="message waiting", daemon=True)

    def start(self) -> None:
        """Begin by loading what the process before us had."""
        self._subscriptions.desk = self
        if self._unsolicited:
            self._unsolicited.desk = self
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
            if row is None:
                self._told.pop(key, None)
            self._changed.notify()

    def claim(self, mailbox_ids: Iterable[str]) -> None:
        """See voice.sip.unsolicited.PbxDesk."""
        with self._changed:
            self._unclaimed.update(dict.fromkeys(mailbox_ids))
            self._changed.notify()

    def told(self, told: Told) -> None:
        """See voice.sip.subscriptions.Desk. Of a device only the last state is written."""
        with self._changed:
            self._told[told.key] = told

    def announced(self, mailbox_id: str | None) -> None:
        """Somebody says that counts changed; None where announcements may have been missed. From any thread."""
        self._post(partial(self._subscriptions.changed, mailbox_id))
        if mailbox_id is None:
            self._look_at = 0.0
        elif self._unsolicited:
            self._post(partial(self._unsolicited.want, [mailbox_id]))

    # -- the thread

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._has_work():
                    if self._stopping:
                        return
                    self._changed.wait(TOLD_SECONDS)
            try:
                self._work()
            except KeeperAway as error:
                if not self._away:
                    log.warning("subscriptions wait for the keeper: %s", error)
                self._away = True
                self._retry_at = time.monotonic() + RETRY_SECONDS
                if self._stopping:
                    return
            else:
                self._away = False

    def _has_work(self) -> bool:
        """Questions are answered at once, with a refusal if need be; the rest waits for the keeper."""
        if self._questions:
            return True
        if time.monotonic() < self._retry_at:
            return False
        if self._stopping:
            return bool(self._rows or self._told)
        if not self._loaded or self._rows or self._uncounted or self._unclaimed:
            return True
        return time.monotonic() >= (min(self._told_at, self._look_at) if self._told else self._look_at)

    def _work(self) -> None:
        if self._questions:
            self._answer(*self._questions.popleft())
        elif not self._loaded and not self._stopping:
            rows = self._keeper.load_subscriptions(self._port)
            self._loaded = True
            self._post(partial(self._subscriptions.restore, rows))
        elif self._unclaimed and not self._stopping:
            self._claim()
        elif self._uncounted and not self._stopping:
            self._count()
        elif self._rows:
            self._write()
        elif self._told and (self._stopping or time.monotonic() >= self._told_at):
            self._write_told()
        elif not self._stopping:
            self._look()

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

    def _write_told(self) -> None:
        with self._changed:
            told = dict(list(self._told.items())[:ROWS_AT_ONCE])
        self._keeper.save_lamps(self._port, [one.to_plain() for one in told.values()])
        self._told_at = time.monotonic() + TOLD_SECONDS
        with self._changed:
            for key, one in told.items():
                if self._told.get(key) is one:
                    del self._told[key]

    def _claim(self) -> None:
        with self._changed:
            wanted, self._unclaimed = list(self._unclaimed), {}
            # What is written ends claims: nothing that is still to be written may end a new one.
            first = any(told.kind == PBX and told.counts.mailbox_id in wanted for told in self._told.values())
        try:
            if first:
                self._write_told()
            pbx = self._pbx()
            claims = self._keeper.claim_lamps(self._port, pbx, wanted) if pbx else {}
        except KeeperAway:
            self.claim(wanted)
            raise
        if self._unsolicited:
            self._post(partial(self._unsolicited.claimed, {key: claims.get(key, []) for key in wanted}))

    def _look(self) -> None:
        """Find what was changed and never announced; of the same mailboxes twice in a row, since most is under way."""
        self._look_at = time.monotonic() + LOOK_SECONDS
        owed = self._keeper.find_owed(self._port, self._pbx(), REPEATED_AT_ONCE)
        behind = set(owed["subscribed"])
        found, self._behind = behind & self._behind, behind
        if found:
            self._post(partial(self._subscriptions.look_again, found))
        if self._unsolicited and owed["at_pbx"]:
            self._post(partial(self._unsolicited.want, owed["at_pbx"]))

    def _pbx(self) -> dict[str, Any] | None:
        if self._unsolicited is None:
            return None
        target = self._unsolicited.target
        return {"target": target.uri, "refresh": target.refresh, "uptime": time.monotonic() - self._started}

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
