"""NOTIFY of message-summary without a subscription, to one PBX (RFC 3842, RFC 3265 section 3.3.4). SIP thread only.

Each is a request of its own, outside of any dialog. A PBX that is silent, or that refuses our password, is left alone
for a while and then asked with a single NOTIFY, so that neither side drowns; what changed meanwhile waits.
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from voice.sip.authentication import Authenticator, CannotAuthenticate
from voice.sip.digest import Credentials
from voice.sip.lamp import PBX, Claim, PbxTarget, Told, answer_words
from voice.sip.message import Address, SipMessage
from voice.sip.message_summary import CONTENT_TYPE, PACKAGE, body_of
from voice.sip.pacing import Pacer
from voice.sip.registrar import Found, Resolver, seconds_of
from voice.sip.response import ALLOW_EVENTS, SERVER, serialise
from voice.sip.timers import Timer
from voice.sip.transactions import Transactions
from voice.sip.uri import bracketed

log = logging.getLogger(__name__)
AT_ONCE = 20
READY_SECONDS = 1.0
AWAY_FIRST, AWAY_LONGEST = 5.0, 300.0
REFUSED_FIRST, REFUSED_LONGEST = 300.0, 3600.0
# What is written down says nothing any more once so many repeats stayed away.
REPEATS_UNTIL_EXPIRED = 3


class PbxDesk(Protocol):
    """Who knows counts and has a memory. Its methods return at once."""

    def claim(self, mailbox_ids: Iterable[str]) -> None:
        """Claim what the PBX is to be told of these mailboxes, and hand it to Unsolicited.claimed."""

    def told(self, told: Told) -> None:
        """Write down what came of a NOTIFY."""


@dataclass
class _Notify:
    """One under way."""

    claim: Claim
    authenticator: Authenticator
    call_id: str
    tag: str
    sequence: int = 0


class Unsolicited:
    """Tells a PBX what waits in mailboxes, each of them once a second at most.

    post: has something done in the SIP thread; contact_towards: our own address as that peer reaches it; ready: whether
    the PBX may be asked now.
    """

    def __init__(
        self,
        target: PbxTarget,
        transactions: Transactions,
        *,
        post: Callable[[Callable[[], None]], object],
        contact_towards: Callable[[str], Address],
        resolver: Resolver,
        credentials: Credentials,
        pace: float,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.target, self._transactions, self._post = target, transactions, post
        self._contact_towards, self._resolver, self._credentials = contact_towards, resolver, credentials
        self._ready = ready
        self._pacer = Pacer(transactions.timers, pace, self._due)
        self._waiting: dict[str, None] = {}
        # Mailboxes that are claimed or told now, and how many NOTIFYs of each are under way; -1: to be claimed.
        self._under_way: dict[str, int] = {}
        self._idle: list[Authenticator] = []
        self._addresses: list[Address] = []
        self._looking, self._stale = False, True
        self._failures = 0
        self._pause: Timer | None = None
        self.desk: PbxDesk | None = None

    def want(self, mailbox_ids: Iterable[str]) -> None:
        """These mailboxes changed, or are to be told again."""
        for mailbox_id in mailbox_ids:
            self._pacer.wish(mailbox_id)

    def claimed(self, claims: dict[str, list[Claim]]) -> None:
        """What the desk claimed of the mailboxes that it was asked for; nothing where nothing is to be told."""
        for mailbox_id, found in claims.items():
            self._under_way[mailbox_id] = len(found)
            for claim in found:
                authenticator = self._idle.pop() if self._idle else Authenticator(self._credentials)
                authenticator.begin()
                self._send(_Notify(claim, authenticator, secrets.token_hex(16), secrets.token_hex(8)))
            if not found:
                del self._under_way[mailbox_id]
        self._go_on()

    # -- whose turn it is

    def _due(self, mailbox_id: str) -> None:
        self._waiting[mailbox_id] = None
        self._go_on()

    def _go_on(self) -> None:
        """Claim as many mailboxes as may be under way now."""
        if self._pause or not self._waiting or self.desk is None:
            return
        if not self._ready():
            self._wait(READY_SECONDS)
            return
        if self._stale:
            self._look_up()
            return
        room = (1 if self._failures else AT_ONCE) - len(self._under_way)
        chosen = [mailbox_id for mailbox_id in self._waiting if mailbox_id not in self._under_way][: max(0, room)]
        for mailbox_id in chosen:
            del self._waiting[mailbox_id]
            self._under_way[mailbox_id] = -1
        if chosen:
            self.desk.claim(chosen)

    def _look_up(self) -> None:
        if not self._looking:
            self._looking = True
            self._resolver.look_up(self._looked_up)

    def _looked_up(self, found: Found) -> None:
        """Called in the thread that looked it up."""
        self._post(partial(self._found, found))

    def _found(self, found: Found) -> None:
        self._looking = False
        if isinstance(found, str):
            self._leave_alone(f"the name cannot be looked up: {found}")
            return
        # With several addresses each failure leads to the next one.
        self._addresses, self._stale = found, False
        self._go_on()

    def _wait(self, seconds: float) -> None:
        if self._pause is None:
            self._pause = self._transactions.timers.call_later(seconds, self._resume)

    def _resume(self) -> None:
        self._pause = None
        self._go_on()

    # -- a NOTIFY

    def _send(self, notify: _Notify) -> None:
        claim, address = notify.claim, self._addresses[self._failures % len(self._addresses)]
        notify.sequence += 1
        host, port = self._contact_towards(address[0])
        body = body_of(claim.counts, claim.uri)
        branch = f"z9hG4bK{secrets.token_hex(12)}"
        fields = [
            ("Via", f"SIP/2.0/UDP {bracketed(host)}:{port};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<{self.target.sender}>;tag={notify.tag}"),
            ("To", f"<{claim.uri}>"),
            ("Call-ID", notify.call_id),
            ("CSeq", f"{notify.sequence} NOTIFY"),
            ("Contact", f"<sip:{bracketed(host)}:{port}>"),
            ("User-Agent", SERVER),
            ("Event", PACKAGE),
            ALLOW_EVENTS,
            # It belongs to no subscription, but the header must be there (RFC 6665 section 8.2.1).
            ("Subscription-State", "active"),
            *notify.authenticator.headers("NOTIFY", claim.uri, body),
            ("Content-Type", CONTENT_TYPE),
        ]
        data = serialise(f"NOTIFY {claim.uri} SIP/2.0", fields, body)
        self._transactions.request(data, address, branch, "NOTIFY", partial(self._answered, notify))

    def _answered(self, notify: _Notify, response: SipMessage | None) -> None:
        words = answer_words(response, self._transactions.values.give_up)
        if response is None:
            self._stale = True
            self._fail(notify, words)
        elif response.code in (401, 407):
            try:
                notify.authenticator.take(response)
            except CannotAuthenticate as error:
                self._fail(notify, f"{response.code} {error}", refused=True)
                return
            self._send(notify)
        elif response.code == 503:
            self._fail(notify, words, retry_after=seconds_of(response.header("Retry-After")))
        else:
            # Whatever it says of this mailbox, it is there and hears us. What it refuses is told again by the repeat.
            if self._failures:
                log.info("pbx=%s is told of waiting messages again", self.target.uri)
            self._failures = 0
            self._finish(notify, words, works=response.code < 300, knows=True)

    def _fail(self, notify: _Notify, words: str, *, refused: bool = False, retry_after: int | None = None) -> None:
        """The PBX as a whole is not to be asked for now."""
        self._waiting.setdefault(notify.claim.counts.mailbox_id)
        self._leave_alone(words, refused=refused, retry_after=retry_after)
        self._finish(notify, words, works=False, knows=False)

    def _leave_alone(self, words: str, *, refused: bool = False, retry_after: int | None = None) -> None:
        if self._pause:
            # Of those that were under way together, the first one counts.
            return
        first, longest = (REFUSED_FIRST, REFUSED_LONGEST) if refused else (AWAY_FIRST, AWAY_LONGEST)
        seconds = min(longest, first * 2 ** min(self._failures, 20)) * random.uniform(0.5, 1.0)
        seconds = min(retry_after or seconds, longest)
        if not self._failures:
            log.error("pbx=%s is not told of waiting messages: %s", self.target.uri, _one_line(words))
        self._failures += 1
        self._wait(seconds)

    def _finish(self, notify: _Notify, words: str, *, works: bool, knows: bool) -> None:
        claim, mailbox_id = notify.claim, notify.claim.counts.mailbox_id
        if self.desk:
            self.desk.told(
                Told(
                    claim.key,
                    PBX,
                    claim.counts,
                    words,
                    works,
                    claim.counts.version if knows else None,
                    REPEATS_UNTIL_EXPIRED * self.target.refresh,
                    over=claim.over,
                )
            )
        self._idle.append(notify.authenticator)
        self._under_way[mailbox_id] -= 1
        if self._under_way[mailbox_id] <= 0:
            del self._under_way[mailbox_id]
        self._go_on()


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)[:200]
