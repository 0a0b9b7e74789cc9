"""SUBSCRIBE for message-summary (RFC 6665, RFC 3842): all subscriptions of one phone. SIP thread only.

Mailboxes and counts are asked of a desk, which works in a thread of its own and keeps what must outlive the process.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol

from voice.mailbox import MessageCounts
from voice.sip.dialog import Dialog, identity_of
from voice.sip.digest import Credentials
from voice.sip.errors import SipError
from voice.sip.lamp import Told
from voice.sip.message import Address, SipMessage
from voice.sip.message_summary import check_accept, event_id, granted_seconds
from voice.sip.pacing import Pacer
from voice.sip.response import ALLOW_EVENTS, Headers
from voice.sip.subscription import Subscription
from voice.sip.transactions import Transactions
from voice.sip.uri import bracketed

log = logging.getLogger(__name__)
RETRY_AFTER = ("Retry-After", "10")
MAX_USER = 128
# Of those of the process before us; about a millisecond's work.
RESTORED_AT_ONCE = 20
RESTORE_PAUSE_SECONDS = 0.002
# All mailboxes are counted, and told, in parts of so many: neither side gets them in one burst.
COUNTED_AT_ONCE = 20
COUNT_PAUSE_SECONDS = 0.1


Answer = MessageCounts | SipError | None


class Desk(Protocol):
    """Who knows mailboxes and has a memory. Its methods return at once."""

    def find(self, users: list[str], on_found: Callable[[Answer], None]) -> bool:
        """Find the mailbox of the first of these users that has one; False where too many questions wait already.

        on_found is called in the SIP thread with its counts, None where there is none, or SipError where nobody knows.
        """

    def count(self, mailbox_ids: Iterable[str]) -> None:
        """Count these mailboxes, and hand the counts to Subscriptions.counted."""

    def keep(self, key: str, row: dict[str, Any] | None) -> None:
        """Write a subscription down, or delete it (None)."""

    def told(self, told: Told) -> None:
        """Write down what came of a NOTIFY."""


@dataclass(frozen=True)
class SubscriptionRules:
    """longest: seconds that are granted at most; limit, limit_per_source: in all, and of one IP address.

    pace: seconds between the counts of a mailbox at least; repeat: between those of a subscription at most.
    """

    longest: int = 3600
    limit: int = 5000
    limit_per_source: int = 1000
    pace: float = 1.0
    repeat: float = 900.0


class Subscriptions:
    """Takes every SUBSCRIBE that may be taken. SipError is the answer to one that is refused.

    contact_towards: our own address as that peer reaches it; reply: answers a request; may_challenge: whether this IP
    address may ask for our password.
    """

    def __init__(
        self,
        transactions: Transactions,
        *,
        reply: Callable[..., None],
        tag_of: Callable[[SipMessage], str],
        contact_towards: Callable[[str], Address],
        credentials: Credentials,
        may_challenge: Callable[[str], bool],
        rules: SubscriptionRules,
    ) -> None:
        self._transactions, self._reply, self._tag_of = transactions, reply, tag_of
        self._contact_towards, self._rules = contact_towards, rules
        self._credentials, self._may_challenge = credentials, may_challenge
        self._held: dict[str, Subscription] = {}
        self._of_mailbox: dict[str, set[str]] = {}
        self._sources: Counter[str] = Counter()
        self._pending = 0
        self._pacer = Pacer(transactions.timers, rules.pace, self._change)
        self.desk: Desk | None = None
        # Until those of the process before are back, nobody is told that his is unknown.
        self.restored = False

    def __len__(self) -> int:
        return len(self._held)

    # -- SUBSCRIBE

    def take(self, request: SipMessage) -> None:
        """A SUBSCRIBE that is no repetition."""
        if request.to.tag:
            self._refresh(request)
            return
        wanted = event_id(request)
        check_accept(request)
        seconds = granted_seconds(request, self._rules.longest)
        if request.contact is None:
            raise SipError(400, "SUBSCRIBE without a Contact")
        source = request.source[0]
        crowded = self._sources[source] >= self._rules.limit_per_source
        if crowded or len(self._held) + self._pending >= self._rules.limit or self.desk is None:
            raise SipError(503, "too many subscriptions", (RETRY_AFTER,))
        request.transaction = self._transactions.create_server(request)
        if request.transaction is None:
            raise SipError(503, "too many transactions", (RETRY_AFTER,))
        if not self.desk.find(_users_of(request), partial(self._found, request, wanted, seconds)):
            raise SipError(503, "too many SUBSCRIBEs wait", (RETRY_AFTER,))
        self._pending += 1

    def _found(self, request: SipMessage, wanted: str, seconds: int, counts: Answer) -> None:
        """The desk's answer, in the SIP thread."""
        self._pending -= 1
        try:
            if counts is None:
                raise SipError(404, "no such mailbox")
            if isinstance(counts, SipError):
                raise counts
            contact = self._contact_towards(request.source[0])
            dialog = Dialog(request, self._tag_of(request), contact)
        except SipError as error:
            self._reply(request, error.status, error.reason, error.headers)
            return
        account = f"sip:{counts.extension}@{bracketed(request.to.uri.host or contact[0])}"
        subscription = self._subscription(dialog, counts, account, wanted)
        subscription.source, subscription.users = request.source[0], _users_of(request)
        self._accept(request, subscription, seconds)
        if seconds:
            self._hold(subscription)
            self._keep(subscription)
            subscription.notify()
            # What was announced between the counting and now found nobody here to tell.
            self._recount([counts.mailbox_id])
        else:
            # Who only wants to know what is there now.
            subscription.terminate("timeout")

    def _refresh(self, request: SipMessage) -> None:
        subscription = self._held.get(identity_of(request))
        if subscription is None and not self.restored:
            raise SipError(503, "subscriptions are not loaded yet", (RETRY_AFTER,))
        if subscription is None or not subscription.dialog.matches(request):
            raise SipError(481, "SUBSCRIBE in an unknown dialog")
        if event_id(request) != subscription.event_id:
            raise SipError(481, "SUBSCRIBE for another event")
        check_accept(request)
        seconds = granted_seconds(request, self._rules.longest)
        subscription.dialog.accept(request)
        subscription.dialog.refresh_target(request)
        request.transaction = self._transactions.create_server(request)
        self._accept(request, subscription, seconds)
        if not seconds:
            self._forget(subscription)
            subscription.terminate("timeout")
            return
        self._keep(subscription)
        subscription.notify()
        self._look_up(subscription)
        self._recount([subscription.counts.mailbox_id])

    def _look_up(self, subscription: Subscription) -> None:
        """Whom it was for may have another mailbox by now, which is somebody else's."""
        if self.desk and subscription.users:
            self.desk.find(subscription.users, partial(self._looked_up, subscription))

    def _looked_up(self, subscription: Subscription, found: Answer) -> None:
        there = isinstance(found, MessageCounts) and found.mailbox_id == subscription.counts.mailbox_id
        if not there and not isinstance(found, SipError):
            self._deactivate(subscription)

    def _deactivate(self, subscription: Subscription) -> None:
        """It is the phone's no more: it may subscribe anew, and is judged anew (RFC 6665 section 4.1.3)."""
        if subscription.key in self._held:
            log.info("subscription of %s ended: its number leads elsewhere now", subscription.account)
            self._forget(subscription)
            subscription.terminate("deactivated")

    def _accept(self, request: SipMessage, subscription: Subscription, seconds: int) -> None:
        host, port = subscription.dialog.contact
        headers: Headers = (("Contact", f"<sip:{bracketed(host)}:{port}>"), ("Expires", str(seconds)), ALLOW_EVENTS)
        self._reply(request, 200, headers=headers)
        if seconds:
            subscription.extend(seconds, partial(self._expired, subscription))

    # -- counts

    def changed(self, mailbox_id: str | None) -> None:
        """The counts of a mailbox are to be sent; None: of all whose counts are others than we sent last."""
        if mailbox_id is None:
            self._recount_all()
        elif mailbox_id in self._of_mailbox:
            self._pacer.wish(mailbox_id)

    def look_again(self, mailbox_ids: Iterable[str]) -> None:
        """Count mailboxes, and send what is not what we sent last."""
        self._recount(mailbox_id for mailbox_id in mailbox_ids if mailbox_id in self._of_mailbox)

    def _change(self, mailbox_id: str) -> None:
        for key in self._of_mailbox.get(mailbox_id, ()):
            self._held[key].due = True
        self.look_again([mailbox_id])

    def counted(self, counts: dict[str, MessageCounts | None]) -> None:
        """What waits in mailboxes; None for a mailbox that is no more."""
        for mailbox_id, found in counts.items():
            for key in tuple(self._of_mailbox.get(mailbox_id, ())):
                subscription = self._held[key]
                if found is None:
                    self._forget(subscription)
                    subscription.terminate("noresource")
                elif not subscription.is_for(found):
                    self._deactivate(subscription)
                elif found != subscription.counts or subscription.due:
                    subscription.counts, subscription.due = found, False
                    subscription.notify()

    def _recount(self, mailbox_ids: Iterable[str]) -> None:
        wanted = list(mailbox_ids)
        if self.desk and wanted:
            self.desk.count(wanted)

    def _recount_all(self, left: Iterator[str] | None = None) -> None:
        left = iter(list(self._of_mailbox)) if left is None else left
        some = list(islice(left, COUNTED_AT_ONCE))
        if some:
            self.look_again(some)
            self._transactions.timers.call_later(COUNT_PAUSE_SECONDS, partial(self._recount_all, left))

    def _repeat(self, subscription: Subscription) -> None:
        subscription.due = True
        self._look_up(subscription)
        self._recount([subscription.counts.mailbox_id])

    # -- over a restart

    def restore(self, rows: Iterable[dict[str, Any]]) -> None:
        """Take over the subscriptions of the process before us; each gets a NOTIFY once its mailbox is counted.

        A few at a time: calls get the SIP thread in between.
        """
        left = iter(rows)
        some = list(islice(left, RESTORED_AT_ONCE))
        for row in some:
            self._take_over(row)
        if some:
            self._transactions.timers.call_later(RESTORE_PAUSE_SECONDS, partial(self.restore, left))
            return
        self.restored = True
        if self._held:
            log.info("subscriptions=%d are taken over", len(self._held))
        self._recount_all()

    def _take_over(self, row: dict[str, Any]) -> None:
        try:
            plain = row["dialog"]
            dialog = Dialog.from_plain(plain)
            counts = MessageCounts(row["mailbox_id"], "", 0, 0, 0, 0)
            subscription = self._subscription(dialog, counts, plain["account"], plain["event_id"])
            seconds = row["expires_at"] - time.time()
        except (SipError, KeyError, TypeError, IndexError) as error:
            log.error("subscription=%s cannot be read, it is dropped: %s", row.get("key"), error)
            return
        subscription.source, subscription.due = plain["source"][0], True
        subscription.users = [str(user) for user in plain.get("users", ())]
        subscription.extend(max(1.0, seconds), partial(self._expired, subscription))
        self._hold(subscription)

    # -- the table

    def _subscription(self, dialog: Dialog, counts: MessageCounts, account: str, wanted: str) -> Subscription:
        return Subscription(
            dialog,
            counts,
            account,
            wanted,
            transactions=self._transactions,
            credentials=self._credentials,
            on_over=self._over,
            on_reserve=self._keep,
            on_told=self._told,
            on_repeat=self._repeat,
            repeat=self._rules.repeat,
            may_challenge=self._may_challenge,
        )

    def _hold(self, subscription: Subscription) -> None:
        self._held[subscription.key] = subscription
        self._of_mailbox.setdefault(subscription.counts.mailbox_id, set()).add(subscription.key)
        self._sources[subscription.source] += 1

    def _keep(self, subscription: Subscription) -> None:
        if self.desk:
            self.desk.keep(subscription.key, subscription.to_plain())

    def _told(self, told: Told) -> None:
        if self.desk and told.key in self._held:
            self.desk.told(told)

    def _forget(self, subscription: Subscription) -> None:
        if self._held.pop(subscription.key, None) is None:
            return
        keys = self._of_mailbox[subscription.counts.mailbox_id]
        keys.discard(subscription.key)
        if not keys:
            del self._of_mailbox[subscription.counts.mailbox_id]
        self._sources[subscription.source] -= 1
        if not self._sources[subscription.source]:
            del self._sources[subscription.source]
        if self.desk:
            self.desk.keep(subscription.key, None)

    def _expired(self, subscription: Subscription) -> None:
        self._forget(subscription)
        subscription.terminate("timeout")

    def _over(self, subscription: Subscription, why: str) -> None:
        log.info("subscription of %s ended: %s", subscription.account, why)
        self._forget(subscription)


def _users_of(request: SipMessage) -> list[str]:
    """Whom a SUBSCRIBE is for: the user of the Request-URI, else of To."""
    return list(dict.fromkeys(user[:MAX_USER] for user in (request.uri.user, request.to.uri.user) if user))
