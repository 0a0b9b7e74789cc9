"""The phone: pyVoIP's VoIPPhone for many calls at a time. INVITEs come to us; a PBX may be registered with."""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from pyVoIP.VoIP import PhoneStatus, VoIPPhone

from voice.media.loop import MediaLoop
from voice.sip.address import LocalAddress, version_of
from voice.sip.call import SipCall
from voice.sip.challengers import Challengers
from voice.sip.client import SipClient
from voice.sip.dialog import Dialog, identity_of
from voice.sip.digest import Credentials
from voice.sip.errors import SipError
from voice.sip.gate import Gate, GateRules
from voice.sip.lamp import PbxTarget
from voice.sip.message import SDP_TYPE, Address, SipMessage
from voice.sip.ports import PortPool
from voice.sip.refer import declined
from voice.sip.registrar import Account, Acquaintance, Resolver
from voice.sip.registration import REGISTERED, Pace, Registration, RegistrationState
from voice.sip.response import ALLOW, ALLOW_EVENTS, SUPPORTS
from voice.sip.statistics import PhoneStatistics
from voice.sip.subscriptions import SubscriptionRules, Subscriptions
from voice.sip.timers import TimerValues
from voice.sip.transfer import Patience
from voice.sip.unsolicited import Unsolicited

log = logging.getLogger(__name__)
RETRY_AFTER = ("Retry-After", "30")
ACCEPT = ("Accept", "application/sdp, application/dtmf-relay, application/dtmf")
GOODBYE_SECONDS = 1.0
REGISTRAR, TARGET = "registrar", "told of waiting messages"


class Phone(VoIPPhone):
    """Answers INVITEs on one UDP port.

    on_call is called in the SIP thread with every new call, after 100 and 180; it must not block and sees to it that
    the call is answered or rejected. host: address to bind; public_address: what to put into Contact and SDP, empty for
    the address that the peer is reached from; rtp_ports: first and last; media_timeout: seconds; account: who we are at
    a registrar, None where there is none; registers: False where another worker does it; gate_rules: who may call, else
    only this host; credentials: for who challenges our requests in dialogs; patience: with transfers; pbx_target: who
    is told of waiting messages unasked.
    """

    sip: SipClient
    calls: dict[str, SipCall]

    def __init__(
        self,
        *,
        host: str,
        port: int,
        rtp_ports: tuple[int, int],
        loop: MediaLoop,
        on_call: Callable[[SipCall], None],
        public_address: str = "",
        username: str = "voicemail",
        max_calls: int = 500,
        media_timeout: float = 0.0,
        timer_values: TimerValues | None = None,
        account: Account | None = None,
        registers: bool = True,
        pace: Pace | None = None,
        gate_rules: GateRules | None = None,
        credentials: Credentials | None = None,
        subscription_rules: SubscriptionRules | None = None,
        patience: Patience | None = None,
        pbx_target: PbxTarget | None = None,
    ) -> None:
        super().__init__(host, port, username, "", host, on_call, port, *rtp_ports)
        self.sip = SipClient(
            host,
            port,
            username,
            "",
            phone=self,
            myIP=host,
            myPort=port,
            callCallback=self.callback,
            fatalCallback=self.fatal,
            timer_values=timer_values,
            gate_rules=gate_rules,
        )
        self.calls = {}
        # The Call-IDs of these, and of how many each: what a flood is compared with.
        self.call_ids: Counter[str] = Counter()
        self.ports = PortPool(*rtp_ports)
        self.loop = loop
        self.max_calls, self.media_timeout = max_calls, media_timeout
        self.accepting = False
        self.credentials = credentials or Credentials(username, "")
        self.patience = patience or Patience()
        self._account = account
        self._on_call = on_call
        self._host, self._address = host, LocalAddress(host, public_address)
        self.challengers = Challengers(self.gate.may_call, _pbxs(account, pbx_target))
        self._registration = self._registration_of(account, pace) if account and registers else None
        self._acquaintances = list(self._acquaintances_with(account, pbx_target))
        self.subscriptions = Subscriptions(
            self.sip.transactions,
            reply=self.sip.reply,
            tag_of=self.sip.tag_of,
            contact_towards=self._contact_towards,
            credentials=self.credentials,
            may_challenge=self.challengers.may_ask,
            rules=subscription_rules or SubscriptionRules(),
        )
        lamp_pace = (subscription_rules or SubscriptionRules()).pace
        self.unsolicited = self._unsolicited_of(pbx_target, lamp_pace) if pbx_target else None
        self._session_numbers = itertools.count(secrets.randbits(31))
        self._live: set[SipCall] = set()
        self._changed = threading.Condition()

    # -- life, from any thread

    def start(self, accept: bool = True) -> None:
        """Take the SIP port and serve it; OSError where it is taken. Until `accepting` is True calls get 503."""
        self.sip.start()
        self.NSD, self.accepting = True, accept
        # As long as its calls are a stranger's they are not told to try elsewhere.
        for acquaintance in self._acquaintances:
            self.sip.post(acquaintance.start)
        self._status = PhoneStatus.REGISTERED

    def register(self) -> None:
        """Register with the PBX, where there is an account, and stay registered until stop()."""
        if self._registration:
            self.sip.post(self._registration.start)

    @property
    def registration(self) -> RegistrationState | None:
        """How the registration stands; None where this phone does not register. From any thread."""
        return self._registration.state if self._registration else None

    def drain(self) -> None:
        """Refuse new calls, and take the registration back: the PBX is to send no more while running ones end."""
        self.accepting = False
        if self._registration:
            self.sip.post(self._registration.leave)

    def stop(self, drain_timeout: float = 0.0) -> None:
        """Refuse new calls, give running ones `drain_timeout` seconds to end, end the rest with BYE, close the port."""
        if not self.NSD:
            return
        self.drain()
        self._status = PhoneStatus.DEREGISTERING
        self._wait(lambda: not self._live, drain_timeout)
        for call in self.live_calls():
            self.sip.post(partial(call.end, "shutdown"))
        self._wait(lambda: not self._live, GOODBYE_SECONDS)
        self.sip.wait_answered(GOODBYE_SECONDS)
        self.NSD = False
        self.sip.stop()
        self._status = PhoneStatus.INACTIVE

    def fatal(self) -> None:
        """pyVoIP's name for an end by an error."""
        self.stop()
        self._status = PhoneStatus.FAILED

    def live_calls(self) -> list[SipCall]:
        """Calls that ring or are answered."""
        with self._changed:
            return list(self._live)

    @property
    def gate(self) -> Gate:
        """Who may call."""
        return self.sip.gate

    @property
    def statistics(self) -> PhoneStatistics:
        return self.sip.statistics

    # -- what calls use

    def request_port(self, blocking: bool = True) -> int:
        """Replaces pyVoIP's search through all ports; SipError 503 where none is free."""
        port = self.ports.take()
        if port is None:
            raise SipError(503, "no RTP port is free", (RETRY_AFTER,))
        return port

    def release_ports(self, call: object = None) -> None:
        """Replaces pyVoIP's: a port is given back when its socket is closed."""

    @property
    def media_versions(self) -> tuple[int, ...]:
        """The versions of IP that audio can be sent over."""
        return (4, 6) if self._host == "::" else (version_of(self._host) or 4,)

    def media_addresses(self, peer: str) -> tuple[str, str]:
        """Where to bind the audio of a call with a peer at this address, and what to name in SDP."""
        bound = self._host
        if bound == "::" and version_of(peer) == 4:
            bound = "0.0.0.0"  # noqa: S104  as the setting says
        return bound, self._address.towards(peer)

    def place_of(self, call: SipCall) -> Address:
        """Where numbers of a call's PBX are: at the registrar, where there is one, else where the call came from."""
        return self._account.place if self._account else call.source

    def call_ended(self, call: SipCall) -> None:
        """A call is over; its dialog may live on for a moment."""
        with self._changed:
            self._live.discard(call)
            self._changed.notify_all()

    def forget(self, call: SipCall) -> None:
        """The dialog of a call is over as well. In the SIP thread."""
        if self.calls.pop(call.dialog.identity, None) is not None:
            self.call_ids[call.dialog.call_id] -= 1
            if not self.call_ids[call.dialog.call_id]:
                del self.call_ids[call.dialog.call_id]

    # -- messages, in the SIP thread

    def callback(self, request: SipMessage) -> None:
        """Replaces pyVoIP's: a request that no transaction took. SipError is the answer to it."""
        if request.method == "SUBSCRIBE":
            self._subscribe(request)
        elif request.to.tag:
            self._in_dialog(request)
        elif request.method == "INVITE":
            self._callback_MSG_Invite(request)
        elif request.method == "OPTIONS":
            self._options(request)
        elif request.method == "REFER":
            raise declined(request)
        elif request.method != "ACK":
            raise SipError(481, f"{request.method} without a dialog")

    def _in_dialog(self, request: SipMessage) -> None:
        call = self.calls.get(identity_of(request))
        if call is None or not call.dialog.matches(request):
            if request.method == "ACK":
                return
            raise SipError(481, f"{request.method} in an unknown dialog")
        if request.method == "ACK":
            call.acknowledge(request)
            return
        call.dialog.accept(request)
        if request.method == "BYE":
            self.sip.reply(request, 200)
            call.bye()
        elif request.method == "OPTIONS":
            # Of a call that runs: it goes on, also while no new ones are taken.
            self.sip.reply(request, 200, headers=(ALLOW, ACCEPT, ALLOW_EVENTS))
        elif request.method == "NOTIFY":
            # Also behind our BYE: the subscription of a transfer outlives it for a moment.
            call.notify(request)
        elif call.ended:
            raise SipError(481, "the call is over")
        elif request.method == "REFER":
            raise declined(request)
        else:
            {"INVITE": call.renegotiate, "UPDATE": call.update, "INFO": call.info}[request.method](request)

    def _subscribe(self, request: SipMessage) -> None:
        if not self.accepting and not request.to.tag:
            raise SipError(503, "no subscriptions are taken now", (RETRY_AFTER,))
        self.subscriptions.take(request)

    def _options(self, request: SipMessage) -> None:
        """A qualify of the PBX: 200, or 503 while we stop, so that a dispatcher takes another one."""
        if not self.accepting:
            raise SipError(503, "no calls are taken now", (RETRY_AFTER,))
        self.sip.reply(request, 200, headers=(ALLOW, ACCEPT, ALLOW_EVENTS, SUPPORTS))

    def _callback_MSG_Invite(self, request: SipMessage) -> None:
        """Replaces pyVoIP's: a new call."""
        self.statistics.invites += 1
        if not self.accepting:
            raise SipError(503, "no calls are taken now", (RETRY_AFTER,))
        if len(self._live) >= self.max_calls:
            raise SipError(503, "as many calls as there may be", (RETRY_AFTER,))
        if request.transaction is None:
            # Without a transaction neither a repeated INVITE nor a CANCEL could be told from a new one.
            raise SipError(503, "too many transactions", (RETRY_AFTER,))
        if not request.accepts(SDP_TYPE):
            raise SipError(406, "an answer is to hold no session description")
        self.sip.reply(request, 100)
        call = self._create_call(request)
        self.sip.reply(request, 180, headers=(call.contact_header,))
        try:
            self._on_call(call)
        except Exception:
            log.exception("call=%s cannot be served", call.call_id)
            call.reject(500)

    def _create_call(self, request: SipMessage) -> SipCall:
        address = self._address.towards(request.source[0])
        dialog = Dialog(request, self.sip.tag_of(request), (address, self.sip.myPort))
        call = SipCall(self, request, next(self._session_numbers), address, dialog)
        self.calls[dialog.identity] = call
        self.call_ids[dialog.call_id] += 1
        with self._changed:
            self._live.add(call)
        return call

    def _registration_of(self, account: Account, pace: Pace | None) -> Registration:
        return Registration(
            account,
            self.sip.transactions,
            post=self.sip.post,
            contact_towards=self._contact_towards,
            resolver=Resolver(account.place, self.sip.s.family),
            on_addresses=self._know_registrar,
            pace=pace,
        )

    def _acquaintances_with(self, account: Account | None, target: PbxTarget | None) -> Iterator[Acquaintance]:
        timers, post, family = self.sip.transactions.timers, self.sip.post, self.sip.s.family
        if account:
            yield Acquaintance(Resolver(account.place, family), timers, post, self._know_registrar)
        if target and not target.registered:
            yield Acquaintance(
                Resolver(target.place, family),
                timers,
                post,
                partial(self.challengers.know, TARGET),
                "the PBX that is told of waiting messages cannot be looked up, by which it may ask for our password",
            )

    def _know_registrar(self, addresses: frozenset[str]) -> None:
        self.gate.set_registered(addresses)
        self.challengers.know(REGISTRAR, addresses)

    def _unsolicited_of(self, target: PbxTarget, pace: float) -> Unsolicited:
        return Unsolicited(
            target,
            self.sip.transactions,
            post=self.sip.post,
            contact_towards=self._contact_towards,
            resolver=Resolver(target.place, self.sip.s.family),
            credentials=self.credentials,
            pace=pace,
            ready=self._is_registered if target.registered else lambda: True,
        )

    def _is_registered(self) -> bool:
        return self.registration is not None and self.registration.state == REGISTERED

    def _contact_towards(self, peer: str) -> Address:
        return self._address.towards(peer), self.sip.myPort

    def _wait(self, condition: Callable[[], bool], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        with self._changed:
            while not condition() and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)


def _pbxs(account: Account | None, target: PbxTarget | None) -> list[str]:
    """Whose password ours is."""
    return [name for name, there in ((REGISTRAR, account), (TARGET, target and not target.registered)) if there]
