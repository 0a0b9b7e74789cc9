"""The media process's end of the keeper: asks, waits a while, and starts the keeper again if it dies."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from voice.errors import HelperAway, KeeperAway
from voice.helper_process import HelperProcess
from voice.mailbox import MailboxFacts, MessageCounts, find_in_snapshot
from voice.sip.lamp import Claim
from voice.twiml.script import Script

log = logging.getLogger(__name__)
LOOK_UP_SECONDS = 1.5
SAVE_SECONDS = 2.0
READY_SECONDS = 0.25


class KeeperClient(HelperProcess):
    """One keeper process and the requests that are under way to it. Safe from any thread.

    What a keeper that is killed has not committed is in the spool and is adopted at the next start.
    """

    name = "keeper"
    module = "voice.keeper"
    away: ClassVar[type[HelperAway]] = KeeperAway

    def __init__(self, snapshot: Path) -> None:
        super().__init__()
        self._snapshot = snapshot
        # Called in the keeper's thread: a mailbox's id, or None where announcements may have been missed.
        self.on_announced: Callable[[str | None], object] = lambda _mailbox_id: None
        # Called in the keeper's thread with all custom prompts, as Prompts.lay_over() takes them.
        self.on_prompts: Callable[[list[dict[str, Any]]], object] = lambda _rows: None

    def wait_ready(self, timeout: float, stopping: Callable[[], bool]) -> bool:
        """Wait until the keeper answers; False after `timeout` seconds, or as soon as stopping() is true."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0 and not stopping():
            try:
                return bool(self._ask(min(left, READY_SECONDS), ask="ready"))
            except KeeperAway:
                # It is being started, for the first time or again.
                self._stopping.wait(0.05)
        return False

    def find_mailbox(self, extensions: list[str]) -> MailboxFacts | None:
        """The mailbox of the first extension that has one; from the snapshot while the database is away.

        Raises KeeperAway where the database is away and the snapshot does not know the mailbox either.
        """
        try:
            plain = self._ask(LOOK_UP_SECONDS, ask="mailbox", extensions=extensions)
        except KeeperAway as error:
            return self._in_snapshot(extensions, error)
        return MailboxFacts.from_plain(plain) if plain else None

    def find_script(self, dialled: list[str], extensions: list[str]) -> tuple[Script | None, MailboxFacts | None]:
        """What answers a call: the script of a dialled number, else the mailbox of the first extension that has one
        and its own script if it has one, else the catch-all script, else neither.

        The database away: the mailbox from the snapshot, without a script. Raises KeeperAway as find_mailbox does.
        """
        try:
            plain = self._ask(LOOK_UP_SECONDS, ask="script", dialled=dialled, extensions=extensions)
        except KeeperAway as error:
            return None, self._in_snapshot(extensions, error)
        script, mailbox = plain["script"], plain["mailbox"]
        return (
            Script.from_plain(script) if script else None,
            MailboxFacts.from_plain(mailbox) if mailbox else None,
        )

    def _in_snapshot(self, extensions: list[str], error: KeeperAway) -> MailboxFacts:
        """The mailbox as the snapshot knows it; raises the error where it does not."""
        facts = find_in_snapshot(self._snapshot, extensions)
        if facts is None:
            raise error
        log.warning("mailbox=%s found in the snapshot, the database is away", facts.extension)
        return facts

    def save(self, take_id: str, seconds: float = SAVE_SECONDS) -> bool:
        """Commit a finished take; False where that takes longer: it is safe in the spool and committed later."""
        try:
            return bool(self._ask(seconds, ask="save", take=take_id))
        except KeeperAway as error:
            log.warning("take=%s is in the spool, its commit follows: %s", take_id, error)
            return False

    def adopt(self, take_id: str) -> None:
        """Have a take completed that its call could not finish, as after a crash; no answer is awaited."""
        # A keeper that is away looks through the whole spool when it starts.
        with suppress(KeeperAway):
            self._send({"id": None, "ask": "adopt", "take": take_id})

    def heartbeat(self, key: str, state: dict[str, Any]) -> None:
        """Publish the worker's live state; no answer is awaited."""
        self.tell({"ask": "heartbeat", "key": key, "state": state})

    def tell(self, request: dict[str, Any]) -> None:
        """Tell something of the live state (voice/board.py); no answer is awaited."""
        # A keeper that is away hears everything again in seconds.
        with suppress(KeeperAway):
            self._send({"id": None, **request})

    def find_counts(self, extensions: list[str]) -> MessageCounts | None:
        """What waits in the mailbox of the first extension that has one; None where none has. KeeperAway."""
        plain = self._ask(LOOK_UP_SECONDS, ask="find_counts", extensions=extensions) if extensions else None
        return MessageCounts(**plain) if plain else None

    def count_messages(self, mailbox_ids: list[str]) -> dict[str, MessageCounts]:
        """What waits in these mailboxes; those that are no more are left out. KeeperAway."""
        found = self._ask(SAVE_SECONDS, ask="count_messages", mailboxes=mailbox_ids)
        return {plain["mailbox_id"]: MessageCounts(**plain) for plain in found}

    def load_subscriptions(self, port: int) -> list[dict[str, Any]]:
        """The subscriptions of this host's worker at this SIP port that have not expired. KeeperAway."""
        return list(self._ask(SAVE_SECONDS, ask="load_subscriptions", port=port))

    def save_subscriptions(self, port: int, rows: dict[str, dict[str, Any] | None]) -> None:
        """Write subscriptions down by their keys, or delete them (None). KeeperAway."""
        self._ask(SAVE_SECONDS, ask="save_subscriptions", port=port, rows=rows)

    def find_owed(self, port: int, pbx: dict[str, Any] | None, limit: int) -> dict[str, list[str]]:
        """Mailboxes whose lamps are behind: "subscribed" at this worker, and "at_pbx". KeeperAway."""
        return dict(self._ask(SAVE_SECONDS, ask="find_owed", port=port, pbx=pbx, limit=limit))

    def claim_lamps(self, port: int, pbx: dict[str, Any], mailbox_ids: list[str]) -> dict[str, list[Claim]]:
        """What this worker is to tell the PBX now, by mailbox. KeeperAway."""
        found: dict[str, list[Claim]] = {}
        for plain in self._ask(SAVE_SECONDS, ask="claim_lamps", port=port, pbx=pbx, mailboxes=mailbox_ids):
            counts = MessageCounts(**plain.pop("counts"))
            found.setdefault(counts.mailbox_id, []).append(Claim(counts=counts, **plain))
        return found

    def save_lamps(self, port: int, told: list[dict[str, Any]]) -> None:
        """Write down what devices were told. KeeperAway."""
        self._ask(SAVE_SECONDS, ask="save_lamps", port=port, told=told)

    def ask_owner(self, timeout: float, name: str, arguments: dict[str, Any]) -> Any:
        """A request of an owner's call (voice/owner_client.py); after `timeout` seconds it is not begun any more."""
        # The clock is the same in all processes of a host.
        until = time.monotonic() + timeout
        return self._ask(timeout, ask="owner", name=name, until=until, arguments=arguments)

    def taken(self, answer: dict[str, Any]) -> bool:
        if "announced" in answer:
            self.on_announced(answer["announced"])
            return True
        if "prompts" in answer:
            self.on_prompts(answer["prompts"])
            return True
        return False
