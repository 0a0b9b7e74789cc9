"""One incoming call: pyVoIP's VoIPCall with its signalling replaced. Everything is done in the SIP thread."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyVoIP.VoIP import CallState, VoIPCall

from voice.events import Ended, Event, HoldChanged, MediaTimeout
from voice.media.stream import MediaStream
from voice.sip.dialog import Dialog
from voice.sip.dialog_requests import DialogRequests
from voice.sip.errors import SipError
from voice.sip.event_box import EventBox
from voice.sip.info import carries_keys, key_of
from voice.sip.message import Address, SipMessage
from voice.sip.pyvoip_shape import offer_body
from voice.sip.response import ALLOW, SUPPORTS, Headers
from voice.sip.sdp import Agreed, SessionDescription
from voice.sip.session import Session
from voice.sip.session_timer import Interval, SessionTimer, asked_of_us
from voice.sip.transactions import InviteTransaction
from voice.sip.transfer import Transfer, check_event, refer_to
from voice.sip.unacknowledged import Unacknowledged
from voice.sip.uri import bracketed
from voice.weak import weakly

if TYPE_CHECKING:
    from voice.sip.client import SipClient
    from voice.sip.phone import Phone

log = logging.getLogger(__name__)
SDP_TYPE = "application/sdp"
RING_SECONDS = 180.0
TRANSFER_SECONDS = 480.0
"""Longer than every time-out of a transfer together: only a SIP thread that is gone takes so long."""


class _Own:
    """What a call has beside pyVoIP's: all of it in one dict would make that three times as large.

    A base of its own: pyVoIP's classes have no types, so that slots of ours would seem to be all that there is.
    """

    __slots__ = (
        "_bye_after_ack",
        "_events",
        "_interval",
        "_offer",
        "_requests",
        "_ring_timer",
        "_session",
        "_session_timer",
        "_transfer",
        "_unacknowledged",
        "_waiting_answer",
        "dialog",
        "end_reason",
        "source",
        "started_at",
    )


class SipCall(_Own, VoIPCall):
    """A call from its INVITE to its end.

    call_id, source, stream; request: the INVITE, until our answer to it is acknowledged. on_event is called with every
    event, from the SIP thread or the media loop; events before it is set are kept. answer(), reject() and hangup() may
    be called from any thread.
    """

    state: CallState
    request: SipMessage
    phone: Phone
    sip: SipClient

    def __init__(self, phone: Phone, request: SipMessage, session_id: int, media_address: str, dialog: Dialog) -> None:
        offer = request.sdp
        interval = asked_of_us(request, phone.sip.transactions.values.min_session)
        self.dialog = dialog
        self.source: Address = request.source
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.end_reason = ""
        self._offer: SessionDescription | None = offer
        self._session = Session(phone, offer, request.call_id, weakly(self._media_event), self.source[0])
        self._unacknowledged = Unacknowledged(weakly(self._acknowledged), weakly(self._not_acknowledged))
        self._bye_after_ack = False
        self._waiting_answer: Future[bool] | None = None
        self._transfer: Transfer | None = None
        self._events = EventBox()
        request.body = offer_body(self._session.agreed)
        super().__init__(phone, CallState.RINGING, request, session_id, media_address, sendmode="sendrecv")
        self._interval = interval
        self._requests = DialogRequests(phone, dialog)
        self._session_timer = SessionTimer(phone.sip.timers, self._requests, self.contact_header, weakly(self._expired))
        self._ring_timer = phone.sip.timers.call_later(RING_SECONDS, lambda: self._reject(480, "", ()))
        if isinstance(request.transaction, InviteTransaction):
            request.transaction.on_cancel = self._cancelled
            self._unacknowledged.add(request, request.transaction)

    def __del__(self) -> None:
        """Replaces pyVoIP's, which takes a lock while memory is freed."""

    # -- what the worker uses

    @property
    def stream(self) -> MediaStream:
        """The audio. It exists from the INVITE on and runs from the answer on."""
        return self._session.stream

    @property
    def ended(self) -> bool:
        return bool(self.state == CallState.ENDED)

    @property
    def on_event(self) -> Callable[[Event], None] | None:
        return self._events.listener

    @on_event.setter
    def on_event(self, listener: Callable[[Event], None]) -> None:
        self._events.listener = listener

    def answer(self) -> bool:
        """Take the call. False where it is over already, or where the other side's answer to our offer is of no use."""
        result: Future[bool] = Future()
        if self.sip.in_thread:
            self._answer(result)
            return bool(self.state == CallState.ANSWERED)
        if not self.sip.post(lambda: self._answer(result)):
            return False
        try:
            return result.result(timeout=self.sip.transactions.values.give_up + 5)
        except (TimeoutError, CancelledError):
            return False

    def reject(self, status: int, reason: str = "", headers: Mapping[str, str] | None = None) -> None:
        """Refuse the call with a final status; harmless when it is answered or over."""
        fields = tuple((headers or {}).items())
        self._in_thread(lambda: self._reject(status, reason, fields))

    def deny(self) -> None:
        """pyVoIP's name for refusing as busy."""
        self.reject(486)

    def transfer(self, target: str) -> bool:
        """Hand the call over by REFER to a number at the PBX or a sip: URI; True where it has moved and is over here.

        It returns when the target has answered or refused. Not to be called in the SIP thread.
        """
        result: Future[bool] = Future()
        if not self.sip.post(lambda: self._begin_transfer(target, result)):
            return False
        try:
            return result.result(timeout=TRANSFER_SECONDS)
        except (TimeoutError, CancelledError):
            return False

    def hangup(self) -> None:
        """End the call: BYE where it was answered, 603 where it was not; harmless when it is over."""
        self._in_thread(lambda: self.end("we hung up"))

    # -- pyVoIP's hooks

    def create_rtp_clients(self, codecs: Any, ip: str, port: int, request: SipMessage, baseport: int) -> None:
        """Replaces pyVoIP's: one MediaStream for what was agreed, on the bound host. SipError 503 without a port."""
        port = self._session.open(port, self.session_id)
        self.assignedPorts = {port: codecs}
        self.RTPClients = [self._session.stream]

    def renegotiate(self, request: SipMessage) -> None:
        """Replaces pyVoIP's: a re-INVITE. SipError where it cannot be served; the session then stays as it is."""
        offer, agreed, interval = self._weigh(request, "re-INVITE")
        if isinstance(request.transaction, InviteTransaction):
            self._unacknowledged.add(request, request.transaction)
        self._send_ok(request, offer, agreed, interval)
        if agreed:
            self._follow(agreed)

    def bye(self) -> None:
        """Replaces pyVoIP's: the other side hung up, also where it had not been answered yet."""
        if self.state == CallState.RINGING:
            self._reply_invite(487)
        self._finish("transferred" if self._transfer and self._transfer.is_under_way else "caller hung up")
        self._unacknowledged.expect_none()
        self._forget()

    # -- requests in the dialog, in the SIP thread

    def update(self, request: SipMessage) -> None:
        """UPDATE (RFC 3311): a new offer, or a refresh without one."""
        offer, agreed, interval = self._weigh(request, "UPDATE")
        self._send_ok(request, offer, agreed, interval, describe=offer is not None)
        if agreed:
            self._follow(agreed)

    def info(self, request: SipMessage) -> None:
        """INFO: a key, or a body that we do not know (415), or nothing at all."""
        if request.content and not carries_keys(request):
            raise SipError(415, "INFO with an unknown body", (("Accept", "application/dtmf-relay, application/dtmf"),))
        self.sip.reply(request, 200)
        key = key_of(request)
        if key and self.state == CallState.ANSWERED:
            self.stream.digit(key)

    def notify(self, request: SipMessage) -> None:
        """NOTIFY: how a transfer that we asked for stands."""
        if self._transfer is None:
            raise SipError(481, "NOTIFY without a subscription")
        check_event(request)
        self.sip.reply(request, 200)
        self._transfer.notified(request)

    def acknowledge(self, ack: SipMessage) -> None:
        """An ACK of a 2xx: it has a branch of its own, its sequence number says which INVITE it belongs to."""
        self._unacknowledged.take(ack)

    def end(self, reason: str) -> None:
        """End from our side, for the reason that the flow hears of."""
        if self.state == CallState.RINGING:
            self._reject(480 if reason == "shutdown" else 603, "", (), reason)
        elif self.state == CallState.ANSWERED:
            self._finish(reason)
            # Before the ACK no BYE may be sent (RFC 3261 section 15); at shutdown there is no time to wait for it.
            if self._unacknowledged and reason not in ("shutdown", "no ACK"):
                self._bye_after_ack = True
            else:
                self._send_bye()

    # -- inside, in the SIP thread

    def _in_thread(self, action: Callable[[], None]) -> None:
        if self.sip.in_thread:
            action()
        else:
            self.sip.post(action)

    def _answer(self, result: Future[bool]) -> None:
        if self.state != CallState.RINGING:
            result.set_result(False)
            return
        self._ring_timer.cancel()
        self.state = CallState.ANSWERED
        self.sip.statistics.answered += 1
        if self._offer is None:
            # The answer to our offer is in the ACK; until then nobody knows where to send audio.
            self._waiting_answer = result
        self._send_ok(self.request, self._offer, self._session.agreed, self._interval)
        if self._offer is not None:
            if self._session.held:
                # From the INVITE on, as a transfer that was not completed yet leaves it.
                self._events.put(HoldChanged(True))
            self.stream.start()
            result.set_result(True)
        self._offer = None

    def _begin_transfer(self, target: str, result: Future[bool]) -> None:
        if self.state != CallState.ANSWERED:
            result.set_result(False)
            return
        try:
            self._transfer = Transfer(
                self.sip.transactions,
                self.dialog,
                refer_to(target, self.phone.place_of(self)),
                self.contact_header[1],
                credentials=self.phone.credentials,
                may_challenge=self.phone.challengers.may_ask,
                patience=self.phone.patience,
                on_moved=weakly(self._moved),
                result=result,
            )
        except ValueError as error:
            log.error("call=%s %s", self.call_id, error)
            result.set_result(False)
        else:
            self._transfer.begin()

    def _moved(self) -> None:
        self.end("transferred")

    def _weigh(
        self, request: SipMessage, what: str
    ) -> tuple[SessionDescription | None, Agreed | None, Interval | None]:
        """What a re-INVITE or UPDATE asks for. SipError where that cannot be: nothing has changed then."""
        offer = request.sdp
        if self.state == CallState.RINGING and (offer or what != "UPDATE"):
            # The first INVITE is not answered yet (RFC 3261 section 14.2, RFC 3311 section 5.2).
            raise SipError(500, f"{what} before the answer", (("Retry-After", str(secrets.randbelow(11))),))
        if self._unacknowledged.offer_is_open and (offer or what != "UPDATE"):
            raise SipError(491, f"{what} while an offer of ours waits for its answer")
        agreed = self._session.judge(offer)
        minimum = self.sip.transactions.values.min_session
        interval = asked_of_us(request, minimum) if self.state == CallState.ANSWERED else None
        self.dialog.refresh_target(request)
        return offer, agreed, interval

    def _send_ok(
        self,
        request: SipMessage,
        offer: SessionDescription | None,
        agreed: Agreed | None,
        interval: Interval | None,
        describe: bool = True,
    ) -> None:
        """200 with our answer to an offer, with an offer of our own where there was none, or without either."""
        headers: list[tuple[str, str]] = [self.contact_header, ALLOW, SUPPORTS, *(interval.answer if interval else ())]
        content = self._session.describe(offer, agreed) if describe else b""
        if self.state == CallState.ANSWERED:
            self._session_timer.follow(interval)
        self.sip.reply(request, 200, headers=headers, content=content, content_type=SDP_TYPE)

    @property
    def contact_header(self) -> tuple[str, str]:
        host, port = self.dialog.contact
        return "Contact", f"<sip:{self.phone.username}@{bracketed(host)}:{port}>"

    def _acknowledged(self, ack: SipMessage, answer_follows: bool) -> None:
        # Nobody asks for the INVITE any more, and parsed it takes a fifth of the call's memory.
        self.__dict__.pop("request", None)
        if self._bye_after_ack:
            self._bye_after_ack = False
            self._send_bye()
        elif self.state == CallState.ANSWERED and answer_follows:
            self._take_answer(ack)

    def _expired(self) -> None:
        self.end("session expired")

    def _not_acknowledged(self) -> None:
        if self._bye_after_ack:
            self._bye_after_ack = False
            self._send_bye()
        elif self.state == CallState.ANSWERED:
            self.sip.statistics.unacknowledged += 1
            self.end("no ACK")

    def _take_answer(self, ack: SipMessage) -> None:
        """The answer to our offer. One that cannot be used ends the call."""
        waiting, self._waiting_answer = self._waiting_answer, None
        try:
            agreed = self._session.judge(ack.sdp)
            if agreed is None:
                raise SipError(488, "the ACK has no answer")
            self._follow(agreed)
        except (SipError, OSError) as error:
            log.warning("call=%s the answer in its ACK cannot be used: %s", self.call_id, error)
            self.end("error")
        else:
            self.stream.start()
        if waiting:
            waiting.set_result(self.state == CallState.ANSWERED)

    def _follow(self, agreed: Agreed) -> None:
        changed = self._session.follow(agreed)
        self.RTPClients = [self._session.stream]
        if changed:
            self._events.put(HoldChanged(agreed.held))

    def _media_event(self, event: Event) -> None:
        """From the media loop. Where nothing is heard any more the call is over: the other side cannot tell us."""
        if isinstance(event, MediaTimeout):
            self.sip.post(lambda: self.end("media timeout"))
        else:
            self._events.put(event)

    def _reject(self, status: int, reason: str, headers: Headers, why: str = "we hung up") -> None:
        if self.state != CallState.RINGING:
            return
        self.sip.statistics.count_rejected(status)
        self._reply_invite(status, reason, headers)
        self._finish(why)
        self._forget()

    def _cancelled(self) -> None:
        if self.state != CallState.RINGING:
            return
        self.sip.statistics.cancelled += 1
        self._reply_invite(487)
        self._finish("cancelled")
        self._forget()

    def _reply_invite(self, status: int, reason: str = "", headers: Headers = ()) -> None:
        self.sip.reply(self.request, status, reason, headers)

    def _finish(self, reason: str) -> None:
        """The call is over: audio stops, the flow hears why. The dialog may still wait for an ACK or an answer."""
        if self.state == CallState.ENDED:
            return
        self.state = CallState.ENDED
        self.end_reason = reason
        self._ring_timer.cancel()
        self._session_timer.stop()
        self.stream.stop()
        waiting, self._waiting_answer = self._waiting_answer, None
        if waiting:
            waiting.set_result(False)
        if self._transfer is not None:
            self._transfer.stop(reason == "transferred")
        self.phone.call_ended(self)
        self._events.put(Ended(reason))

    def _send_bye(self) -> None:
        self._requests.send("BYE", (), lambda _response: self._forget())

    def _forget(self) -> None:
        self._requests.withdraw()
        self.phone.forget(self)
        self._unacknowledged.clear()
