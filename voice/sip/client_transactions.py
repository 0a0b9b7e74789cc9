"""INVITE client transactions over UDP (RFC 3261 section 17.1.1, RFC 6026): a call that we place.

Like those of voice/sip/transactions.py they belong to the SIP thread.
"""

from __future__ import annotations

from collections.abc import Callable

from voice.sip.message import Address, SipMessage
from voice.sip.response import SERVER, serialise
from voice.sip.timers import Timer
from voice.sip.transactions import Key, Transactions

OnResponse = Callable[[SipMessage | None], None]


class InviteClientTransaction:
    """Repeats an INVITE until something answers (timers A, B), and acknowledges each refusal (timer D).

    on_provisional gets 101 to 199; on_final gets the first final response, or None where none came; on_success gets
    every 2xx, also repeats and those of other branches of a fork: each wants an ACK of its own, which is the dialog's
    work (section 13.2.2.4). A 2xx comes to on_final first where it is the first final response.
    """

    def __init__(
        self,
        table: Transactions,
        invite: bytes,
        destination: Address,
        *,
        on_final: OnResponse,
        on_provisional: Callable[[SipMessage], None] = lambda _response: None,
        on_success: Callable[[SipMessage], None] = lambda _response: None,
    ) -> None:
        self._table, self._data, self._destination = table, invite, destination
        self._request = SipMessage(invite)
        self.key: Key = (self._request.vias[0].branch, "INVITE")
        self._on_final, self._on_provisional, self._on_success = on_final, on_provisional, on_success
        self._repeat: Timer | None = None
        self._end: Timer | None = None
        self._ack = b""
        self._status = 0
        self._cancelling = self._cancelled = False

    def begin(self) -> None:
        """Send the INVITE."""
        values = self._table.values
        self._table.add_client(self)
        self._table.send(self._data, self._destination)
        self._schedule(values.t1)
        self._end = self._table.timers.call_later(values.give_up, self._give_up)

    def cancel(self) -> None:
        """Take the INVITE back: at once where it was answered provisionally, else as soon as it is (section 9.1).

        on_final tells what came of it: 487, or a 2xx that was faster and has to be acknowledged and ended by BYE.
        """
        self._cancelling = True
        if 100 <= self._status < 200:
            self._send_cancel()

    def receive(self, response: SipMessage) -> None:
        """A response to the INVITE."""
        code = response.code
        if 200 <= code < 300:
            self._succeed(response)
        elif self._status >= 300:
            # It was not heard; repeats go on until it is (section 17.1.1.2).
            if code >= 300:
                self._table.send(self._ack, self._destination)
        elif self._status < 200 and code >= 300:
            self._refused(response)
        elif self._status < 200:
            self._proceed(response)

    # -- states

    def _proceed(self, response: SipMessage) -> None:
        self._status = response.code
        self._stop(self._repeat)
        if not self._cancelled:
            # A phone may ring for as long as it likes: from here on who placed the call decides when to give up.
            self._stop(self._end)
        if self._cancelling:
            self._send_cancel()
        if response.code > 100:
            self._on_provisional(response)

    def _succeed(self, response: SipMessage) -> None:
        if self._status >= 300:
            return
        first, self._status = self._status < 200, response.code
        if first:
            self._stop(self._repeat)
            self._stop(self._end)
            # Timer M: repeats of the 2xx, and those of other branches, still come to us.
            self._table.timers.call_later(self._table.values.give_up, self._forget)
            self._on_final(response)
        self._on_success(response)

    def _refused(self, response: SipMessage) -> None:
        self._status = response.code
        self._stop(self._repeat)
        self._stop(self._end)
        self._ack = self._build("ACK", response.header("To") or "")
        self._table.send(self._ack, self._destination)
        # Timer D: at least 32 s, since the other side may repeat for as long.
        self._table.timers.call_later(max(32.0, self._table.values.give_up), self._forget)
        self._on_final(response)

    def _give_up(self) -> None:
        self._stop(self._repeat)
        self._forget()
        self._on_final(None)

    def _forget(self) -> None:
        self._table.forget_client(self)

    # -- requests

    def _schedule(self, interval: float) -> None:
        self._repeat = self._table.timers.call_later(interval, lambda: self._again(interval))

    def _again(self, interval: float) -> None:
        """Timer A doubles, and is not bounded by T2."""
        self._table.send(self._data, self._destination)
        self._schedule(interval * 2)

    def _send_cancel(self) -> None:
        if self._cancelled:
            return
        self._cancelled = True
        values = self._table.values
        branch = self.key[0]
        cancel = self._build("CANCEL", self._request.header("To") or "")
        self._table.request(cancel, self._destination, branch, "CANCEL", lambda _response: None)
        # Where neither 487 nor anything else comes, the INVITE counts as over.
        self._end = self._table.timers.call_later(values.give_up, self._give_up)

    def _build(self, method: str, to: str) -> bytes:
        """An ACK for a refusal, or a CANCEL: with the INVITE's Request-URI, Via, Route, From, Call-ID and number."""
        request = self._request
        fields = [("Via", request.header_values("Via")[0]), ("Max-Forwards", "70")]
        fields += [("Route", route) for route in request.raw_values("Route")]
        fields += [
            ("From", request.header("From") or ""),
            ("To", to),
            ("Call-ID", request.call_id),
            ("CSeq", f"{request.cseq[0]} {method}"),
        ]
        # A proxy that asked for credentials wants them here as well (section 22.1).
        for name in ("Authorization", "Proxy-Authorization"):
            fields += [(name, value) for value in request.raw_values(name)]
        return serialise(f"{method} {request.uri.raw} SIP/2.0", [*fields, ("User-Agent", SERVER)], b"")

    @staticmethod
    def _stop(timer: Timer | None) -> None:
        if timer:
            timer.cancel()
