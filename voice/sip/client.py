"""The SIP socket and its one thread: pyVoIP's SIPClient with the way messages come in and go out replaced."""

from __future__ import annotations

import hashlib
import logging
import secrets
import select
import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import pyVoIP.VoIP  # noqa: F401  pyVoIP.SIP can only be imported after it
from pyVoIP.SIP import SIPClient

from voice.sip.address import mapped, unmapped
from voice.sip.dialog import identity_of
from voice.sip.errors import SipError, Unanswered
from voice.sip.gate import Gate, GateRules
from voice.sip.headers import TOKEN
from voice.sip.message import Address, SipMessage
from voice.sip.response import (
    ALLOW,
    ALLOWED,
    DECLINED,
    KNOWN,
    SUPPORTED,
    Headers,
    build_refusal,
    build_response,
    response_address,
)
from voice.sip.statistics import LogLimiter, PhoneStatistics
from voice.sip.timers import Timers, TimerValues
from voice.sip.transactions import InviteTransaction, Transactions

log = logging.getLogger(__name__)
RECEIVE_BUFFER = 1 << 21
MAX_DATAGRAM = 65535
MIN_MESSAGE = 20
DATAGRAMS_A_ROUND = 64
IDLE_CHECK_SECONDS = 0.02


class SipClient(SIPClient):
    """One UDP socket, one thread, no polling: select() on the socket, a wake-up socket and the next timer.

    Parsing, transactions and what needs no call are done here; the rest goes to callCallback in the SIP thread.
    """

    NSD: bool

    def __init__(
        self, *args: Any, timer_values: TimerValues | None = None, gate_rules: GateRules | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.statistics = PhoneStatistics()
        self.gate = Gate(gate_rules or GateRules(), self.statistics, self._report)
        self.timers = Timers()
        self.transactions = Transactions(self.send, self.timers, timer_values or TimerValues())
        self._secret = secrets.token_bytes(16)
        self._limiter = LogLimiter()
        self._posted: deque[Callable[[], None]] = deque()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._idle = threading.Event()
        self._thread: threading.Thread | None = None
        family = socket.AF_INET6 if ":" in self.myIP else socket.AF_INET
        # Bound to `::` it serves IPv4 as well; only here are those addresses written as the system wants them.
        self._takes_mapped = family == socket.AF_INET6
        self.s = self.out = socket.socket(family, socket.SOCK_DGRAM)

    # -- life

    def start(self) -> None:
        """Replaces pyVoIP's: bind and start the thread. OSError where the port is taken."""
        if self.NSD:
            raise RuntimeError("the SIP client runs already")
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.s.bind((self.myIP, self.myPort))
        self.s.setblocking(False)
        self.NSD = True
        self._thread = threading.Thread(target=self.recv_loop, name="SIP", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Replaces pyVoIP's: end the thread and close the socket; what was posted before is done first."""
        if self.NSD:
            self.post(self._end)
            if self._thread and self._thread is not threading.current_thread():
                self._thread.join()
        for sock in (self.s, self._wake_in, self._wake_out):
            sock.close()

    def wait_answered(self, timeout: float) -> None:
        """Wait until our own requests are answered, at most `timeout` seconds; not to be called in the SIP thread."""
        self._idle.clear()
        if self.post(self._check_idle):
            self._idle.wait(timeout)

    def _check_idle(self) -> None:
        if self.transactions.client_count == 0:
            self._idle.set()
        else:
            self.timers.call_later(IDLE_CHECK_SECONDS, self._check_idle)

    def _end(self) -> None:
        self.NSD = False

    @property
    def in_thread(self) -> bool:
        """True in the SIP thread."""
        return threading.current_thread() is self._thread

    def post(self, callback: Callable[[], None]) -> bool:
        """Have something done in the SIP thread, soon and in order; False when that thread has ended."""
        if not self.NSD:
            return False
        self._posted.append(callback)
        try:
            self._wake_out.send(b"\0")
        except BlockingIOError:
            pass  # wake-ups enough are waiting
        except OSError:
            return False
        return True

    # -- the thread

    def recv_loop(self) -> None:
        """Replaces pyVoIP's polling loop."""
        sock, wake = self.s, self._wake_in
        while self.NSD:
            ready = select.select([sock, wake], [], [], self.timers.next_delay())[0]
            if wake in ready:
                self._run_posted(wake)
            if sock in ready:
                for _ in range(DATAGRAMS_A_ROUND):
                    if not self.recv():
                        break
            while (callback := self.timers.pop_due()) is not None:
                self._guarded(callback)

    def _run_posted(self, wake: socket.socket) -> None:
        wake.recv(4096)
        while self._posted:
            self._guarded(self._posted.popleft())

    def _guarded(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            # A fault in one call must not end the thread that serves all of them.
            self.statistics.faults += 1
            log.exception("a callback of the SIP thread failed")

    def recv(self) -> bool:
        """Replaces pyVoIP's: take one datagram; False where none waits."""
        try:
            data, source = self.s.recvfrom(MAX_DATAGRAM)
        except BlockingIOError:
            return False
        except OSError as error:
            log.warning("receiving failed: %s", error)
            return False
        self.statistics.received += 1
        try:
            self.receive(data, (unmapped(source[0]), source[1]))
        except Exception as error:
            # The same: whatever a datagram does, the next one is taken, and who sends many of them cannot fill the log.
            self.statistics.faults += 1
            if self._limiter.admit("fault") is not None:
                log.exception("a datagram from %s failed: %s", source[0], type(error).__name__)
        return True

    def receive(self, data: bytes, source: Address) -> None:
        """One datagram. Keep-alives (RFC 5626), STUN and what cannot be SIP are dropped without an answer."""
        if len(data) < MIN_MESSAGE or not TOKEN.match(data.lstrip(b"\r\n")[:1].decode("latin-1")):
            self.statistics.ignored += 1
            return
        if not self.gate.admits(data, source, self._is_expected):
            return
        try:
            message = SipMessage(data, source)
        except SipError as error:
            self._refuse_unparsed(data, error, source)
            return
        try:
            self.parse_message(message)
        except SipError as error:
            self.refuse(message, error)
        except Exception:
            # A fault of ours costs this request an honest answer, not a caller who waits for ever.
            self.refuse(message, SipError(500, "a fault of ours"))
            raise

    def _is_expected(self, call_id: str) -> bool:
        """Whether a call has this Call-ID, or, for a response, whether we wait for one."""
        if not call_id:
            return self.transactions.client_count > 0
        return call_id in self.phone.call_ids

    def _refuse_unparsed(self, data: bytes, error: SipError, source: Address) -> None:
        self.statistics.malformed += 1
        if not self.gate.admits_answer(source):
            return
        self._report("malformed", source, str(error))
        tag = hashlib.blake2s(data, key=self._secret, digest_size=8).hexdigest()
        answer = build_refusal(data, error, source, tag)
        if answer:
            self.send(answer, source)

    # -- messages in

    def parse_message(self, message: SipMessage) -> None:
        """Replaces pyVoIP's: hand a message to its transaction, or to callCallback. SipError = the answer to it."""
        if not message.is_request:
            waiting = self.transactions.find_client(message)
            if waiting:
                waiting.receive(message)
            else:
                self.gate.note_stray(message.source)
        elif message.method == "ACK":
            self._take_ack(message)
        elif (transaction := self.transactions.find_server(message)) is not None:
            self.statistics.retransmissions += 1
            transaction.on_retransmission()
        elif message.method == "CANCEL":
            self._take_cancel(message)
        else:
            self._take_request(message)

    def _take_ack(self, message: SipMessage) -> None:
        transaction = self.transactions.find_server(message)
        if isinstance(transaction, InviteTransaction):
            transaction.receive_ack(message)
        elif identity_of(message) not in self.phone.calls:
            self.gate.note_stray(message.source)
        elif self.callCallback:
            self.callCallback(message)

    def _take_cancel(self, message: SipMessage) -> None:
        invite = self.transactions.find_server(message, "INVITE")
        if not isinstance(invite, InviteTransaction):
            self.gate.judge(message)
            raise SipError(481, "CANCEL of an unknown transaction")
        message.transaction = self.transactions.create_server(message)
        self.reply(message, 200)
        if invite.status < 200 and invite.on_cancel:
            invite.on_cancel()

    def _take_request(self, message: SipMessage) -> None:
        in_dialog = bool(message.to.tag) and identity_of(message) in self.phone.calls
        if not in_dialog:
            self.gate.judge(message)
        if message.method not in KNOWN:
            raise SipError(501, f"unknown method {message.method[:40]}", (ALLOW,))
        if message.method not in ALLOWED + DECLINED:
            raise SipError(405, f"{message.method} is not served", (ALLOW,))
        if message.method == "INVITE" and not message.to.tag and self.transactions.is_merged(message):
            raise SipError(482, "the same INVITE came over another way")
        opens = message.method == "INVITE" and not message.to.tag
        if opens or in_dialog:
            # What belongs to no dialog is refused without memory: strangers must not fill it.
            message.transaction = self.transactions.create_server(message)
        unknown = [option for option in message.header_values("Require") if option.lower() not in SUPPORTED]
        if unknown:
            raise SipError(420, "unknown option", (("Unsupported", ", ".join(unknown)),))
        if self.callCallback:
            self.callCallback(message)

    # -- messages out

    def reply(
        self,
        message: SipMessage,
        status: int,
        reason: str = "",
        headers: Headers = (),
        content: bytes = b"",
        content_type: str = "",
    ) -> None:
        """Answer a request, through its transaction where it has one."""
        data = build_response(
            message,
            status,
            reason,
            to_tag=self.tag_of(message),
            headers=headers,
            content=content,
            content_type=content_type,
        )
        if message.transaction:
            message.transaction.respond(data, status)
        else:
            self.send(data, response_address(message))

    def refuse(self, message: SipMessage, error: SipError) -> None:
        """Answer a request that cannot be served; an ACK or a response gets none."""
        if not message.is_request or message.method == "ACK" or isinstance(error, Unanswered):
            return
        if error.status != 401:  # a challenge is no refusal
            if message.method == "INVITE":
                self.statistics.count_rejected(error.status)
            self._report(f"refused {error.status}", message.source, f"{message.method[:40]}: {error}")
        self.reply(message, error.status, error.reason, error.headers)

    def send(self, data: bytes, destination: Address) -> None:
        """Send a datagram; a failure is counted, not raised: the peer's or our own timers repeat it."""
        host = mapped(destination[0]) if self._takes_mapped else destination[0]
        try:
            self.s.sendto(data, (host, destination[1]))
        except (OSError, OverflowError):
            self.statistics.send_errors += 1

    def tag_of(self, message: SipMessage) -> str:
        """The To tag of every answer to this request: a keyed hash, so that answers without memory agree."""
        text = "\n".join((message.call_id, message.from_.tag, message.vias[0].branch, str(message.cseq[0])))
        digest = hashlib.blake2s(text.encode("utf-8", "surrogateescape"), key=self._secret, digest_size=8)
        return digest.hexdigest()

    def gen_tag(self) -> str:
        """Replaces pyVoIP's, which keeps every tag for ever."""
        return secrets.token_hex(8)

    def gen_call_id(self) -> str:
        """Replaces pyVoIP's, whose Call-IDs are the same after each start."""
        return f"{secrets.token_hex(16)}@{self.myIP}"

    def _report(self, kind: str, source: Address, detail: str) -> None:
        dropped = self._limiter.admit(kind)
        if dropped is not None:
            more = f", {dropped} such lines were dropped before" if dropped else ""
            log.info("%s packet from %s:%s: %s%s", kind, source[0], source[1], detail, more)
