"""Who may call: trusted networks, PBXs that we are registered with, and who knows a password. Used in the SIP thread.

What a stranger sends costs as little as it can: scanners and who asks too often are dropped before they are parsed, and
no refusal needs memory.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from voice.sip.digest_server import SALT_BYTES, Authenticator, Verdict
from voice.sip.errors import SipError, Unanswered
from voice.sip.message import Address, SipMessage
from voice.sip.rates import RateLimiter
from voice.sip.scanners import SEARCHED_BYTES, is_scanner
from voice.sip.statistics import LogLimiter, PhoneStatistics

LOOPBACK = ("127.0.0.0/8", "::1/128")
KNOWN_ADDRESSES = 4096
# No Call-ID may hold a space.
NO_CALL_ID = " "
# A request with a session description of a browser or of a long way has 5 kB. What is longer may take milliseconds to
# parse; of those that may call, and in calls, up to 64 kB is read (RFC 3261 section 18.1.1).
LONGEST_OF_STRANGERS = 8192
# A wrong password costs as much as so many other requests.
WRONG_PASSWORD_TOKENS = 5
RETRY_AFTER = ("Retry-After", "5")
_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*(\S+)", re.I | re.M)

Report = Callable[[str, Address, str], None]


@dataclass(frozen=True)
class GateRules:
    """trusted: networks that may call and send identity headers; own: of this host, which may call, but whose identity
    headers do not count for that; accounts: user name to password, for all others.

    realm: what their passwords are for; silent: others get no answer at all in place of 403. request_rate,
    request_burst: what is answered to one stranger, requests a second; call_rate, call_burst: calls a second that one
    address may place with a password.
    """

    trusted: tuple[str, ...] = LOOPBACK
    own: tuple[str, ...] = ()
    accounts: Mapping[str, str] = field(default_factory=dict, repr=False)
    realm: str = "voicemail"
    silent: bool = False
    request_rate: float = 5.0
    request_burst: int = 30
    call_rate: float = 2.0
    call_burst: int = 10


class Gate:
    """Judges datagrams and requests by their source. report(kind, source, detail) writes a limited log line."""

    def __init__(
        self,
        rules: GateRules,
        statistics: PhoneStatistics,
        report: Report,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules, self._statistics, self._report, self._clock = rules, statistics, report, clock
        self._trusted, self._own = _Networks(rules.trusted), _Networks(rules.own)
        self._registered: frozenset[str] = frozenset()
        self._requests = RateLimiter(rules.request_rate, rules.request_burst)
        self._calls = RateLimiter(rules.call_rate, rules.call_burst)
        self._scanners = LogLimiter(burst=1, clock=clock)
        self._door = Authenticator(rules.realm, rules.accounts, secrets.token_bytes(32)) if rules.accounts else None

    def set_registered(self, addresses: Iterable[str]) -> None:
        """Replace the IP addresses of the PBX that we register with: they count as trusted. From any thread."""
        self._registered = frozenset(normal_address(address) for address in addresses)

    def trusts(self, address: str) -> bool:
        """Whether the identity headers of this IP address count, and it may call. From any thread."""
        return address in self._trusted or (bool(self._registered) and normal_address(address) in self._registered)

    def may_call(self, address: str) -> bool:
        """Whether this IP address may call without a password."""
        return self.trusts(address) or address in self._own

    def admits(self, data: bytes, source: Address, is_expected: Callable[[str], bool]) -> bool:
        """Whether a datagram is worth parsing.

        is_expected(Call-ID, empty for a response) tells whether a stranger who asks too often, or for too much, may
        still be heard.
        """
        address = source[0]
        if self.may_call(address):
            return True
        if is_scanner(data):
            self._statistics.scanners += 1
            if self._scanners.admit(address) is not None:
                self._report("scanner", source, "dropped")
            return False
        within = len(data) <= LONGEST_OF_STRANGERS and not self._requests.is_empty(address, self._clock())
        if within or is_expected(_call_id(data)):
            return True
        self._statistics.limited += 1
        return False

    def admits_answer(self, source: Address) -> bool:
        """Whether a broken message from there is answered."""
        if self.may_call(source[0]):
            return True
        return self._requests.take(source[0], self._clock()) and not self._rules.silent

    def note_stray(self, source: Address) -> None:
        """An ACK or a response that nothing waits for came: it gets no answer, but who sends many is heard no more."""
        if not self.may_call(source[0]):
            self._requests.charge(source[0], self._clock(), 1)

    def judge(self, request: SipMessage) -> None:
        """Let a request pass that belongs to no dialog and no transaction, or raise the answer: 401, 403, 503, none.

        A CANCEL is never challenged (RFC 3261 section 22.1).
        """
        address, now = request.source[0], self._clock()
        if self.may_call(address):
            return
        if self._door is None or request.method == "CANCEL":
            self._refuse(request, now)
        else:
            name = self._authenticate(self._door, request, now)
            if request.method == "SUBSCRIBE" and not request.to.tag and not _is_of(name, request):
                raise SipError(403, "an account may subscribe to the mailbox of its own name alone")
            if request.method == "INVITE" and not self._calls.take(address, now):
                self._statistics.limited += 1
                raise SipError(503, "too many calls from one address", (RETRY_AFTER,))

    def _refuse(self, request: SipMessage, now: float) -> None:
        self._spend(request.source[0], now)
        self._statistics.strangers += 1
        if self._rules.silent:
            self._report("stranger", request.source, "dropped")
            raise Unanswered
        if request.method != "CANCEL":
            raise SipError(403, "from no trusted network, and there are no accounts")

    def _authenticate(self, door: Authenticator, request: SipMessage, now: float) -> str:
        """The account, where the password is right."""
        address = request.source[0]
        try:
            checked = door.check(request, now)
        except SipError:
            self._spend(address, now)
            raise
        if checked.verdict is Verdict.RIGHT:
            return checked.username
        self._spend(address, now)
        self._statistics.challenged += 1
        if checked.verdict is Verdict.WRONG:
            self._statistics.wrong_passwords += 1
            self._requests.charge(address, now, WRONG_PASSWORD_TOKENS)
            # The name as it came is a stranger's text, so only those that we know are shown.
            known = checked.username in self._rules.accounts
            self._report("wrong password", request.source, f"account {checked.username if known else 'unknown'}")
        stale = checked.verdict is Verdict.STALE
        headers = door.challenges(now, secrets.token_bytes(SALT_BYTES), address, stale=stale)
        raise SipError(401, f"credentials {checked.verdict.value}", headers)

    def _spend(self, address: str, now: float) -> None:
        if not self._requests.take(address, now):
            self._statistics.limited += 1
            raise Unanswered


def _call_id(data: bytes) -> str:
    """The Call-ID of a request that was not parsed, NO_CALL_ID where it has none; empty for a response."""
    if data.lstrip(b"\r\n")[:4].upper() == b"SIP/":
        return ""
    found = _CALL_ID.search(data, 0, SEARCHED_BYTES)
    return found[1].decode("latin-1") if found else NO_CALL_ID


def _is_of(name: str, request: SipMessage) -> bool:
    """Whether a request asks for nobody but this user: how many messages somebody has is not for all to know."""
    return {user for user in (request.uri.user, request.to.uri.user) if user} == {name}


def normal_address(address: str) -> str:
    """An address in its usual form: without a zone, an IPv4 address mapped into IPv6 as IPv4."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(getattr(found, "ipv4_mapped", None) or found)


class _Networks:
    """`address in networks`; what was asked lately is remembered."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks = tuple(ipaddress.ip_network(network, strict=False) for network in networks)
        self._known: dict[str, bool] = {}

    def __contains__(self, address: str) -> bool:
        found = self._known.get(address)
        if found is None:
            if len(self._known) >= KNOWN_ADDRESSES:
                self._known.clear()
            found = self._known[address] = self._lies_in(address)
        return found

    def _lies_in(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(normal_address(address))
        except ValueError:
            return False
        return any(found in network for network in self._networks)
