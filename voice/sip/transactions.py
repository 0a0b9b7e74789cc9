"""Server and client transactions over UDP (RFC 3261 section 17, RFC 6026). Used from the SIP thread only.

A server transaction answers retransmissions from memory; it stores bytes, not messages.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from voice.sip.message import Address, SipMessage
from voice.sip.response import response_address
from voice.sip.timers import Timer, Timers, TimerValues

MAGIC_COOKIE = "z9hg4bk"
Key = tuple[str, ...]
Send = Callable[[bytes, Address], None]


class TakesResponses(Protocol):
    """A client transaction. key: branch and method of its request."""

    key: Key

    def receive(self, response: SipMessage) -> None:
        """A response to its request."""


class Transactions:
    """All transactions of one socket. `limit` bounds the server ones: strangers must not fill the memory."""

    def __init__(self, send: Send, timers: Timers, values: TimerValues, limit: int = 20000) -> None:
        self.send, self.timers, self.values = send, timers, values
        self._limit = limit
        self._server: dict[Key, ServerTransaction] = {}
        self._merged: dict[Key, Key] = {}
        self._client: dict[Key, TakesResponses] = {}

    def __len__(self) -> int:
        return len(self._server) + len(self._client)

    @property
    def client_count(self) -> int:
        return len(self._client)

    def find_server(self, request: SipMessage, method: str | None = None) -> ServerTransaction | None:
        """The transaction of this request, or of the INVITE that an ACK or CANCEL belongs to (`method`)."""
        return self._server.get(server_key(request, method))

    def is_merged(self, request: SipMessage) -> bool:
        """The same INVITE came over another way already (RFC 3261 section 8.2.2.2)."""
        key = self._merged.get(_merge_key(request))
        return key is not None and key != server_key(request)

    def create_server(self, request: SipMessage) -> ServerTransaction | None:
        """A transaction for a new request, or None where there are too many: it is then answered without memory."""
        if len(self._server) >= self._limit:
            return None
        key = server_key(request)
        if request.method == "INVITE":
            transaction: ServerTransaction = InviteTransaction(self, key, response_address(request))
            self._merged[_merge_key(request)] = key
            transaction.merge_key = _merge_key(request)
        else:
            transaction = ServerTransaction(self, key, response_address(request))
        self._server[key] = transaction
        return transaction

    def forget_server(self, transaction: ServerTransaction) -> None:
        self._server.pop(transaction.key, None)
        if transaction.merge_key:
            self._merged.pop(transaction.merge_key, None)

    def request(
        self,
        data: bytes,
        destination: Address,
        branch: str,
        method: str,
        on_final: Callable[[SipMessage | None], None],
    ) -> ClientTransaction:
        """Send a non-INVITE request until it is answered; on_final gets the final response, or None after 64*T1."""
        transaction = ClientTransaction(self, data, destination, (branch, method), on_final)
        self._client[transaction.key] = transaction
        transaction.begin()
        return transaction

    def add_client(self, transaction: TakesResponses) -> None:
        """Have the responses to a request handed to its transaction; see voice/sip/client_transactions.py."""
        self._client[transaction.key] = transaction

    def find_client(self, response: SipMessage) -> TakesResponses | None:
        return self._client.get((response.vias[0].branch, response.cseq[1]))

    def forget_client(self, transaction: TakesResponses) -> None:
        self._client.pop(transaction.key, None)


class ServerTransaction:
    """A non-INVITE server transaction: the response is kept for 64*T1 (timer J)."""

    def __init__(self, table: Transactions, key: Key, destination: Address) -> None:
        self.key, self.destination = key, destination
        self.merge_key: Key | None = None
        self._table = table
        self._last = b""
        self.status = 0

    def respond(self, data: bytes, status: int) -> None:
        """Send a response and remember it; after a final one nothing more is sent but repeats."""
        if self.status >= 200:
            return
        self._last, self.status = data, status
        self._table.send(data, self.destination)
        if status >= 200:
            self._completed()

    def on_retransmission(self) -> None:
        """The request came again."""
        if self._last:
            self._table.send(self._last, self.destination)

    def _completed(self) -> None:
        self._table.timers.call_later(self._table.values.give_up, self._forget)

    def _forget(self) -> None:
        self._table.forget_server(self)


class InviteTransaction(ServerTransaction):
    """An INVITE server transaction.

    Final responses are repeated from T1 up to T2 until the ACK comes (timer G, and for a 2xx RFC 3261 section
    13.3.1.4); after 64*T1 without one on_no_ack is called (timer H).
    """

    def __init__(self, table: Transactions, key: Key, destination: Address) -> None:
        super().__init__(table, key, destination)
        self.on_ack: Callable[[SipMessage], None] | None = None
        self.on_no_ack: Callable[[], None] | None = None
        self.on_cancel: Callable[[], None] | None = None
        self.acknowledged = False
        self._repeat: Timer | None = None
        self._left = 0.0

    def _completed(self) -> None:
        self._left = self._table.values.give_up
        self._schedule(self._table.values.t1)

    def _schedule(self, interval: float) -> None:
        interval = min(interval, self._left)
        self._repeat = self._table.timers.call_later(interval, lambda: self._again(interval))

    def _again(self, interval: float) -> None:
        self._left -= interval
        if self._left <= 0.0:
            self._repeat = None
            self._forget()
            if self.on_no_ack:
                self.on_no_ack()
            return
        self._table.send(self._last, self.destination)
        self._schedule(min(self._table.values.t2, interval * 2))

    def receive_ack(self, ack: SipMessage) -> None:
        """The ACK of whichever final response came. Later INVITE repeats are absorbed for a while (timers I, L)."""
        if self.status < 200 or self.acknowledged:
            return
        self._settle()
        if self.on_ack:
            self.on_ack(ack)

    def tell_nobody(self) -> None:
        """Who was told is over. The transaction lives on for half a minute, and must not keep a call with its audio."""
        self.on_ack = self.on_no_ack = self.on_cancel = None

    def expect_no_ack(self) -> None:
        """The dialog is over: a 2xx is repeated no more. A refusal is, until its ACK: it answers the INVITE alone."""
        if 200 <= self.status < 300 and not self.acknowledged:
            self._settle()

    def _settle(self) -> None:
        self.acknowledged = True
        # It is repeated no more, and the transaction lives for another half a minute.
        self._last = b""
        if self._repeat:
            self._repeat.cancel()
            self._repeat = None
        values = self._table.values
        self._table.timers.call_later(values.give_up if self.status < 300 else values.t4, self._forget)

    def on_retransmission(self) -> None:
        if not self.acknowledged:
            super().on_retransmission()


class ClientTransaction:
    """A non-INVITE client transaction (timers E and F)."""

    def __init__(
        self,
        table: Transactions,
        data: bytes,
        destination: Address,
        key: Key,
        on_final: Callable[[SipMessage | None], None],
    ) -> None:
        self.key = key
        self._table, self._data, self._destination, self._on_final = table, data, destination, on_final
        self._timer: Timer | None = None
        self._left = table.values.give_up
        self._proceeding = False

    def begin(self) -> None:
        self._table.send(self._data, self._destination)
        self._schedule(self._table.values.t1)

    def receive(self, response: SipMessage) -> None:
        """A response came. A provisional one slows the repeats down to T2, a final one ends them."""
        if response.code < 200:
            self._proceeding = True
            return
        self._finish(response)

    def _schedule(self, interval: float) -> None:
        interval = min(interval, self._left)
        self._timer = self._table.timers.call_later(interval, lambda: self._again(interval))

    def _again(self, interval: float) -> None:
        self._left -= interval
        if self._left <= 0.0:
            self._finish(None)
            return
        self._table.send(self._data, self._destination)
        t2 = self._table.values.t2
        self._schedule(t2 if self._proceeding else min(t2, interval * 2))

    def _finish(self, response: SipMessage | None) -> None:
        if self._timer:
            self._timer.cancel()
        self._table.forget_client(self)
        self._on_final(response)


def server_key(request: SipMessage, method: str | None = None) -> Key:
    """RFC 3261 section 17.2.3: branch, sent-by, method; without the magic cookie what RFC 2543 compares."""
    via = request.vias[0]
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    if via.branch.lower().startswith(MAGIC_COOKIE) and len(via.branch) > len(MAGIC_COOKIE):
        return via.branch, via.sent_by, method
    return via.branch, via.sent_by, method, request.call_id, str(request.cseq[0]), request.from_.tag, request.uri.raw


def _merge_key(request: SipMessage) -> Key:
    return request.call_id, request.from_.tag, str(request.cseq[0])
