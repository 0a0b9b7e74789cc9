"""INVITEs of one dialog that were answered or wait for it, and whose ACK has not come. SIP thread only."""

from __future__ import annotations

from collections.abc import Callable

from voice.sip.message import SipMessage
from voice.sip.transactions import InviteTransaction


class Unacknowledged:
    """By sequence number: the ACK of a 2xx is a transaction of its own, its number says which INVITE it belongs to.

    on_ack: the ACK, and whether it is to bring the answer to an offer of ours; on_none: none came for 64*T1.
    """

    def __init__(self, on_ack: Callable[[SipMessage, bool], None], on_none: Callable[[], None]) -> None:
        self._on_ack, self._on_none = on_ack, on_none
        self._waiting: dict[int, InviteTransaction] = {}
        self._offered: set[int] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def offer_is_open(self) -> bool:
        """An offer of ours, in a 2xx to an INVITE without one, has no answer yet."""
        return bool(self._offered)

    def add(self, request: SipMessage, transaction: InviteTransaction) -> None:
        """Wait for the ACK of this INVITE."""
        number, answer_follows = request.cseq[0], request.sdp is None
        self._waiting[number] = transaction
        if answer_follows:
            self._offered.add(number)

        def on_ack(ack: SipMessage) -> None:
            self._remove(number)
            transaction.tell_nobody()
            self._on_ack(ack, answer_follows)

        def on_none() -> None:
            self._remove(number)
            self._on_none()

        transaction.on_ack, transaction.on_no_ack = on_ack, on_none

    def take(self, ack: SipMessage) -> None:
        """An ACK with a branch of its own; one of nothing changes nothing."""
        transaction = self._waiting.get(ack.cseq[0])
        if transaction:
            transaction.receive_ack(ack)

    def expect_none(self) -> None:
        """A BYE came in place of the ACKs."""
        for transaction in self._waiting.values():
            transaction.expect_no_ack()

    def clear(self) -> None:
        """The dialog is over."""
        for transaction in self._waiting.values():
            transaction.tell_nobody()
        self._waiting.clear()
        self._offered.clear()

    def _remove(self, number: int) -> None:
        self._waiting.pop(number, None)
        self._offered.discard(number)
