"""One phone's subscription to message-summary: its dialog and the NOTIFYs in it (RFC 6665 section 4.2)."""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

from voice.mailbox import MessageCounts
from voice.sip.authentication import Authenticator, CannotAuthenticate
from voice.sip.dialog import Dialog
from voice.sip.digest import Credentials
from voice.sip.lamp import SUBSCRIPTION, Told, answer_words
from voice.sip.message import SipMessage
from voice.sip.message_summary import CONTENT_TYPE, PACKAGE, body_of
from voice.sip.registrar import seconds_of
from voice.sip.timers import Timer
from voice.sip.transactions import Transactions
from voice.sip.uri import bracketed

log = logging.getLogger(__name__)
LONGEST_PAUSE_SECONDS = 3600
# Sequence numbers that are written down ahead: after a restart ours must rise, and not every NOTIFY is a write.
RESERVED_NUMBERS = 1000


class Subscription:
    """Sends one NOTIFY at a time, and afterwards another one with the newest counts where they changed meanwhile.

    account: the mailbox's URI in the bodies; event_id: of the Event header; on_over is called once, when it ended
    without our doing; on_reserve, when sequence numbers have to be written down anew; on_told, with what came of each
    NOTIFY; on_repeat, `repeat` seconds after the last one, since a lamp may have forgotten. may_challenge: whether this
    IP address may ask for our password.
    """

    def __init__(
        self,
        dialog: Dialog,
        counts: MessageCounts,
        account: str,
        event_id: str,
        *,
        transactions: Transactions,
        credentials: Credentials,
        on_over: Callable[[Subscription, str], None],
        on_reserve: Callable[[Subscription], None],
        on_told: Callable[[Told], None],
        on_repeat: Callable[[Subscription], None],
        repeat: float,
        may_challenge: Callable[[str], bool],
    ) -> None:
        self.dialog, self.counts, self.account, self.event_id = dialog, counts, account, event_id
        # source: IP address of the SUBSCRIBE; users: whom it was for, of which the first that has a mailbox counts;
        # due: a NOTIFY is owed, whether the counts changed or not.
        self.source, self.due = "", False
        self.users: list[str] = []
        self._transactions = transactions
        self._authenticator = Authenticator(credentials)
        self._on_over, self._on_reserve, self._on_told = on_over, on_reserve, on_told
        self._on_repeat, self._repeat_seconds, self._may_challenge = on_repeat, repeat, may_challenge
        self._destination = ""
        self._sent = counts
        self._reserved = dialog.local_sequence
        self._expires_at = 0.0
        self._expiry: Timer | None = None
        self._pause: Timer | None = None
        self._repeat: Timer | None = None
        self._reason = ""
        self._under_way = self._again = self._over = False

    @property
    def key(self) -> str:
        """See Dialog.identity."""
        return self.dialog.identity

    @property
    def remaining(self) -> int:
        """Seconds until it expires."""
        return max(0, round(self._expires_at - self._transactions.timers.now()))

    def extend(self, seconds: float, on_expiry: Callable[[], None]) -> None:
        """Let it expire so many seconds from now."""
        if self._expiry:
            self._expiry.cancel()
        self._expires_at = self._transactions.timers.now() + seconds
        self._expiry = self._transactions.timers.call_later(seconds, on_expiry)

    def notify(self) -> None:
        """Send the counts, now or as soon as the NOTIFY before is answered."""
        if self._over:
            return
        if not self._is_counted and not self._reason:
            # Taken over a moment ago: a lamp must not go out for want of counts.
            self.due = True
            return
        if self._under_way or self._pause:
            self._again = True
            return
        self._authenticator.begin()
        self._send()

    def terminate(self, reason: str) -> None:
        """End it with a last NOTIFY. reason: of RFC 6665 section 4.1.3."""
        if self._reason:
            return
        self._reason = reason
        self._stop_expiry()
        self.notify()

    def to_plain(self) -> dict[str, Any]:
        """What is kept over a restart; see from_plain of Dialog. Sequence numbers stand some ahead."""
        self._reserved = self.dialog.local_sequence + RESERVED_NUMBERS
        plain = self.dialog.to_plain() | {"local_sequence": self._reserved}
        return {
            "key": self.key,
            "mailbox_id": self.counts.mailbox_id,
            "expires_at": time.time() + self.remaining,
            "dialog": plain | {"account": self.account, "event_id": self.event_id, "users": self.users},
        }

    def is_for(self, counts: MessageCounts) -> bool:
        """Whether these are of the mailbox that was subscribed to: it has its extension still."""
        return counts.mailbox_id == self.counts.mailbox_id and self.account.startswith(f"sip:{counts.extension}@")

    def _send(self) -> None:
        self._again, self._under_way, self._sent = False, True, self.counts
        body = body_of(self.counts, self.account) if self._is_counted else b""
        host, port = self.dialog.contact
        headers = [
            ("Event", f"{PACKAGE};id={self.event_id}" if self.event_id else PACKAGE),
            ("Subscription-State", self._state()),
            ("Contact", f"<sip:{bracketed(host)}:{port}>"),
            *(self._authenticator.headers("NOTIFY", self.dialog.request_uri, body) if self._is_for_pbx else ()),
            *([("Content-Type", CONTENT_TYPE)] if body else []),
        ]
        branch = f"z9hG4bK{secrets.token_hex(12)}"
        data, destination = self.dialog.build_request("NOTIFY", branch, headers, body)
        self._destination = destination[0]
        if self.dialog.local_sequence > self._reserved - RESERVED_NUMBERS // 2 and not self._reason:
            self._on_reserve(self)
        self._transactions.request(data, destination, branch, "NOTIFY", self._answered)

    @property
    def _is_for_pbx(self) -> bool:
        """Whether what is sent now goes to who may ask for our password: the Contact may have moved."""
        return self._may_challenge(self.dialog.next_hop[0])

    @property
    def _is_counted(self) -> bool:
        return bool(self.counts.extension)

    def _state(self) -> str:
        return f"terminated;reason={self._reason}" if self._reason else f"active;expires={self.remaining}"

    def _answered(self, response: SipMessage | None) -> None:
        self._under_way = False
        if response is None:
            self._end("no answer to NOTIFY")
        elif response.code < 300:
            self._tell(response, knows=True)
            self._repeat_later()
            if self._again:
                self.notify()
        elif response.code in (401, 407):
            try:
                self._authenticator.take(response, may_ask=self._may_challenge(self._destination))
            except CannotAuthenticate as error:
                self._end(f"NOTIFY got {response.code}: {error}")
                return
            self._send()
        elif response.code >= 500 and (seconds := seconds_of(response.header("Retry-After"))):
            self._tell(response, knows=False)
            self._pause = self._transactions.timers.call_later(min(seconds, LONGEST_PAUSE_SECONDS), self._resume)
        else:
            self._end(f"NOTIFY got {response.code}")

    def _tell(self, response: SipMessage, *, knows: bool) -> None:
        """Say what came of the NOTIFY; not of the last one, after which nothing is kept."""
        if self._reason:
            return
        words = answer_words(response, 0.0)
        version = self._sent.version if knows else None
        device = self.dialog.target
        self._on_told(Told(self.key, SUBSCRIPTION, self._sent, words, knows, version, self.remaining, device))

    def _repeat_later(self) -> None:
        """Not all in the same second, however they began."""
        self._stop_repeat()
        if not self._reason:
            seconds = self._repeat_seconds * random.uniform(0.8, 1.0)
            self._repeat = self._transactions.timers.call_later(seconds, lambda: self._on_repeat(self))

    def _stop_repeat(self) -> None:
        if self._repeat:
            self._repeat.cancel()
            self._repeat = None

    def _resume(self) -> None:
        self._pause = None
        self.notify()

    def _end(self, why: str) -> None:
        """The phone wants no more."""
        self._over = True
        self._stop_expiry()
        if not self._reason:
            self._on_over(self, why)

    def _stop_expiry(self) -> None:
        self._stop_repeat()
        if self._expiry:
            self._expiry.cancel()
            self._expiry = None
