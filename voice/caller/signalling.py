"""The signalling of one outgoing call on a UDP socket of its own (RFC 3261 sections 13.2, 15 and 17.1)."""

from __future__ import annotations

import math
import socket
import time
from contextlib import suppress

from voice.caller.requests import Requests
from voice.sip.errors import SipError
from voice.sip.message import Address, SipMessage
from voice.sip.response import Headers, build_response, response_address
from voice.sip.timers import TimerValues

MAX_DATAGRAM = 65535
TIMERS = TimerValues()


class Signalling:
    """Sends requests until they are answered, acknowledges, answers BYE. Whoever uses it calls receive() and repeat().

    ringing: a provisional response came; final: the INVITE's final response; ended: the other side said BYE, or
    answered ours; unreachable: the host says that nobody listens on that port.
    """

    def __init__(self, remote: Address) -> None:
        """Take a port; OSError where the host cannot be reached."""
        family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            # Connected, so that the kernel tells of a closed port and drops what strangers send.
            self.socket.connect(remote)
        except OSError:
            self.socket.close()
            raise
        self.socket.setblocking(False)
        self.remote = remote
        self.local: Address = self.socket.getsockname()[:2]
        self.ringing = self.ended = self.ended_by_peer = self.unreachable = False
        self.final: SipMessage | None = None
        self.responses: list[int] = []
        self._requests: Requests | None = None
        self._ack = b""
        self._repeated = b""
        self._interval = 0.0
        self._repeat_at = math.inf

    @property
    def repeat_at(self) -> float:
        """When repeat() has something to do: monotonic seconds, infinity where nothing is pending."""
        return self._repeat_at

    @property
    def call_id(self) -> str:
        """The Call-ID, empty before the INVITE."""
        return self._requests.call_id if self._requests else ""

    def invite(self, requests: Requests, content: bytes, headers: Headers = ()) -> None:
        """Begin the call."""
        self._requests = requests
        self._send_repeatedly(requests.invite(content, headers))

    def cancel(self) -> None:
        """Give up before the answer."""
        if self._requests and self.final is None:
            self._send_repeatedly(self._requests.cancel())

    def bye(self) -> None:
        """End the call that was answered."""
        if self._requests and self.final and self.final.code < 300 and not self.ended:
            self._send_repeatedly(self._requests.bye(self.final))

    def repeat(self) -> None:
        """Send again what is due and not answered yet (timers A and E)."""
        if time.monotonic() >= self._repeat_at:
            self._interval = min(self._interval * 2, TIMERS.t2)
            self._repeat_at = time.monotonic() + self._interval
            self._send(self._repeated)

    def receive(self) -> None:
        """Take what waits on the socket."""
        while True:
            try:
                data = self.socket.recv(MAX_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                # ICMP: port unreachable.
                self.unreachable = True
                return
            # What is no SIP, or is of another call, is none of ours.
            with suppress(SipError):
                self._take(SipMessage(data, self.remote))

    def close(self) -> None:
        """Give the port back."""
        self.socket.close()

    def _take(self, message: SipMessage) -> None:
        if message.call_id != self.call_id:
            return
        if message.is_request:
            self._answer(message)
        elif message.cseq[1] == "INVITE":
            self._invite_response(message)
        elif message.code >= 200:
            self._stop_repeating()
            if message.cseq[1] == "BYE":
                self.ended = True

    def _invite_response(self, message: SipMessage) -> None:
        self.responses.append(message.code)
        if self.final is not None:
            # A repeated final response: its ACK was lost.
            self._send(self._ack)
            return
        if message.code < 200:
            if self._repeated.startswith(b"INVITE"):
                self._stop_repeating()
            self.ringing = True
            return
        self._stop_repeating()
        self.final = message
        if self._requests:
            self._ack = self._requests.ack(message)
            self._send(self._ack)

    def _answer(self, request: SipMessage) -> None:
        if request.method == "ACK":
            return
        known = {"BYE": 200, "OPTIONS": 200, "NOTIFY": 200, "INFO": 200, "INVITE": 488, "UPDATE": 488}
        self.socket.sendto(build_response(request, known.get(request.method, 501)), response_address(request))
        if request.method == "BYE":
            self.ended = self.ended_by_peer = True
            self._stop_repeating()

    def _send_repeatedly(self, data: bytes) -> None:
        self._repeated, self._interval = data, TIMERS.t1
        self._repeat_at = time.monotonic() + TIMERS.t1
        self._send(data)

    def _stop_repeating(self) -> None:
        self._repeated, self._repeat_at = b"", math.inf

    def _send(self, data: bytes) -> None:
        try:
            self.socket.send(data)
        except OSError:
            self.unreachable = True
