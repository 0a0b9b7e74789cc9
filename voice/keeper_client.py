"""The media process's end of the keeper: asks, waits a while, and starts the keeper again if it dies."""

from __future__ import annotations

import json
import logging
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from voice.errors import KeeperAway
from voice.mailbox import MailboxFacts, MessageCounts, find_in_snapshot
from voice.sip.lamp import Claim
from voice.twiml.script import Script

log = logging.getLogger(__name__)
LOOK_UP_SECONDS = 1.5
SAVE_SECONDS = 2.0
READY_SECONDS = 0.25
SEND_SECONDS = 1


class KeeperClient:
    """One keeper process and the requests that are under way to it. Safe from any thread."""

    def __init__(self, snapshot: Path) -> None:
        self._snapshot = snapshot
        # Called in the keeper's thread: a mailbox's id, or None where announcements may have been missed.
        self.on_announced: Callable[[str | None], object] = lambda _mailbox_id: None
        # Called in the keeper's thread with all custom prompts, as Prompts.lay_over() takes them.
        self.on_prompts: Callable[[list[dict[str, Any]]], object] = lambda _rows: None
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._waiting: dict[int, Future[Any]] = {}
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Start the keeper and whatever follows it when it dies."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Close the keeper's socket and wait until it has finished what it began."""
        self._stopping.set()
        with self._lock:
            if self._channel is not None:
                # It may have died a moment ago.
                with suppress(OSError):
                    self._channel.shutdown(socket.SHUT_WR)
            process = self._process
        if process is not None:
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                # What it has not committed is in the spool and is adopted at the next start.
                log.warning("the keeper did not end within %.0f s", timeout)
                process.kill()
        if self._thread.is_alive():
            self._thread.join(timeout)

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

    def save(self, take_id: str) -> bool:
        """Commit a finished take; False where that takes too long: it is safe in the spool and committed later."""
        try:
            return bool(self._ask(SAVE_SECONDS, ask="save", take=take_id))
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

    def _ask(self, timeout: float, **request: Any) -> Any:
        number, future = next(self._numbers), Future[Any]()
        self._waiting[number] = future
        try:
            self._send({"id": number, **request})
            return future.result(timeout)
        except FutureTimeout:
            raise KeeperAway(f"no answer within {timeout} s") from None
        finally:
            self._waiting.pop(number, None)

    def _send(self, request: dict[str, Any]) -> None:
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            if self._channel is None:
                raise KeeperAway("the keeper is not running")
            try:
                self._channel.sendall(line)
            except OSError as error:
                # Also one that reads no more: half a line may be under way, so a new keeper begins from anew.
                with suppress(OSError):
                    self._channel.shutdown(socket.SHUT_RDWR)
                self._channel = None
                raise KeeperAway(f"the keeper is gone: {error.strerror}") from None

    def _run(self) -> None:
        pause = 0.2
        while not self._stopping.is_set():
            try:
                channel = self._spawn()
            except OSError as error:
                # No process or descriptor is free now; without a keeper no take is committed, so it is tried on.
                pause = min(5.0, pause * 2)
                log.error("the keeper cannot be started, it is tried again in %.1f s: %s", pause, error.strerror)
                self._stopping.wait(pause)
                continue
            answered = self._read(channel)
            self._lost(channel)
            if self._stopping.is_set():
                return
            pause = 0.2 if answered else min(5.0, pause * 2)
            log.error("the keeper ended; it is started again in %.1f s", pause)
            self._stopping.wait(pause)

    def _spawn(self) -> socket.socket:
        """A new keeper and our end of its socket; OSError."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        # A keeper that is stopped and reads nothing must not hold up whoever sends.
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", SEND_SECONDS, 0))
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "voice.keeper", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=Path(__file__).resolve().parent.parent,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        with self._lock:
            self._channel, self._process = ours, process
            if self._stopping.is_set():
                # stop() came before there was anything to stop.
                ours.shutdown(socket.SHUT_WR)
        return ours

    def _read(self, channel: socket.socket) -> bool:
        """Hand answers to those who wait until the keeper is gone; whether it answered at all."""
        answered = False
        with channel.makefile("rb") as lines:
            try:
                for line in lines:
                    answer = json.loads(line)
                    answered = True
                    if "announced" in answer:
                        self.on_announced(answer["announced"])
                        continue
                    if "prompts" in answer:
                        self.on_prompts(answer["prompts"])
                        continue
                    future = self._waiting.get(answer["id"])
                    if future is None or future.done():
                        continue
                    if "error" in answer:
                        future.set_exception(KeeperAway(answer["error"]))
                    else:
                        future.set_result(answer["value"])
            except (OSError, ValueError) as error:
                log.error("the keeper's answer cannot be read: %s", error)
        return answered

    def _lost(self, channel: socket.socket) -> None:
        with self._lock:
            self._channel = None
            process = self._process
        channel.close()
        for future in list(self._waiting.values()):
            if not future.done():
                future.set_exception(KeeperAway("the keeper ended"))
        if process is not None and not self._stopping.is_set():
            process.kill()
            process.wait()
