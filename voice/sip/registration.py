"""Registration with a PBX (RFC 3261 section 10): one state machine in the SIP thread.

It looks the registrar up, registers, answers challenges, refreshes in time, waits longer and longer while the registrar
is away or refuses, and takes the registration back at the stop.
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from voice.sip.authentication import Authenticator, CannotAuthenticate
from voice.sip.digest import Credentials
from voice.sip.message import Address, SipMessage
from voice.sip.registrar import (
    Account,
    Found,
    Resolver,
    build_register,
    granted_seconds,
    seconds_of,
)
from voice.sip.timers import Timer
from voice.sip.transactions import Transactions

log = logging.getLogger(__name__)
TRYING, REGISTERED, REFUSED, LEFT = "trying", "registered", "refused", "left"
# A refresh begins early enough for its last repeat (timer F).
REFRESH_BEFORE_SECONDS = 40.0
LONGEST_PAUSE_SECONDS = 86400.0
MAX_TOO_BRIEF = 3
OURS_TO_MEND = "check sip.username, sip.auth_username and sip.password"


@dataclass(frozen=True)
class Pace:
    """Seconds before the next attempt: the first pause doubles up to the longest; half to all of it is waited.

    away: the registrar does not answer, or answers that it cannot now; refused: it does not want us. A wrong password
    must not become one of thousands.
    """

    away_first: float = 4.0
    away_longest: float = 300.0
    refused_first: float = 300.0
    refused_longest: float = 3600.0


@dataclass(frozen=True)
class RegistrationState:
    """state: trying, registered, refused or left (we stop); reason: why it is not registered, for people; until: when
    the registrar forgets us; next_try: when we register again. Both are UTC."""

    registrar: str
    state: str = TRYING
    reason: str = ""
    until: datetime | None = None
    next_try: datetime | None = None

    def to_plain(self) -> dict[str, str | None]:
        """As JSON holds it; times in ISO 8601."""
        times = (None if time is None else time.isoformat(timespec="seconds") for time in (self.until, self.next_try))
        return {"registrar": self.registrar, "state": self.state, "reason": self.reason} | dict(
            zip(("until", "next_try"), times, strict=True)
        )


class Registration:
    """Keeps one account registered. All but `state` belongs to the SIP thread.

    post: has something done in the SIP thread; contact_towards: our own address as that peer reaches it;
    on_addresses: told the registrar's IP addresses each time that it was looked up.
    """

    def __init__(
        self,
        account: Account,
        transactions: Transactions,
        *,
        post: Callable[[Callable[[], None]], object],
        contact_towards: Callable[[str], Address],
        resolver: Resolver,
        on_addresses: Callable[[frozenset[str]], None] = lambda _addresses: None,
        pace: Pace | None = None,
    ) -> None:
        self._account, self._transactions = account, transactions
        self._post, self._contact_towards, self._resolver = post, contact_towards, resolver
        self._on_addresses, self._pace = on_addresses, pace or Pace()
        self._authenticator = Authenticator(Credentials(account.auth_username or account.username, account.password))
        self._call_id, self._tag = secrets.token_hex(16), secrets.token_hex(8)
        self._sequence, self._expires = 0, account.expires
        self._destination: Address = ("", 0)
        self._contact: Address = ("", 0)
        self._failures = self._alike = self._too_brief = 0
        self._timer: Timer | None = None
        self._under_way = self._leaving = self._bound = False
        self.state = RegistrationState(account.registrar)

    def start(self) -> None:
        """Begin; nothing is waited for."""
        self._resolver.look_up(self._found)

    def leave(self) -> None:
        """Take the registration back, where there is one, and end."""
        if self._leaving:
            return
        self._leaving = True
        self.state = RegistrationState(self._account.registrar, LEFT, "the voice worker stops")
        if self._timer:
            self._timer.cancel()
        if not self._under_way:
            self._take_back()

    # -- requests

    def _found(self, found: Found) -> None:
        """Called in the thread that looked it up."""
        self._post(partial(self._looked_up, found))

    def _looked_up(self, found: Found) -> None:
        if self._leaving:
            return
        if isinstance(found, str):
            self._fail(f"the name cannot be looked up: {found}")
            return
        self._on_addresses(frozenset(host for host, _ in found))
        # With several addresses each failure leads to the next one.
        self._destination = found[self._failures % len(found)]
        self._contact = self._contact_towards(self._destination[0])
        self._authenticator.begin()
        self._too_brief = 0
        self._send(self._expires)

    def _take_back(self) -> None:
        if not self._bound:
            return
        self._bound = False
        self._authenticator.begin()
        self._send(0)

    def _send(self, expires: int) -> None:
        self._sequence += 1
        self._under_way = True
        branch = f"z9hG4bK{secrets.token_hex(12)}"
        data = build_register(
            self._account,
            contact=self._contact,
            branch=branch,
            tag=self._tag,
            call_id=self._call_id,
            sequence=self._sequence,
            expires=expires,
            headers=self._authenticator.headers("REGISTER", self._account.uri),
        )
        self._transactions.request(data, self._destination, branch, "REGISTER", partial(self._answered, expires))

    # -- answers

    def _answered(self, expires: int, response: SipMessage | None) -> None:
        """A final response to a REGISTER for `expires` seconds, or None where none came."""
        self._under_way = False
        if self._leaving and expires:
            self._bound = self._bound or (response is not None and response.code < 300)
            self._take_back()
        elif response is not None and response.code in (401, 407):
            self._challenged(expires, response)
        elif expires == 0:
            log.info("registrar=%s the registration is taken back", self._account.registrar)
        elif response is None:
            self._fail("no answer")
        elif response.code == 423:
            self._extend(response)
        elif response.code < 300:
            self._accept(response, expires)
        else:
            self._refuse(response)

    def _challenged(self, expires: int, response: SipMessage) -> None:
        try:
            self._authenticator.take(response)
        except CannotAuthenticate as error:
            if expires:
                self._fail(f"{response.code} {error}; {OURS_TO_MEND}", refused=True)
            return
        self._send(expires)

    def _extend(self, response: SipMessage) -> None:
        """423: it wants us to ask for a longer time."""
        least = seconds_of(response.header("Min-Expires"))
        self._too_brief += 1
        if least is None or least <= self._expires or self._too_brief > MAX_TOO_BRIEF:
            self._fail("423 Interval Too Brief, without a Min-Expires that can be met", refused=True)
            return
        self._expires = least
        self._authenticator.begin()
        self._send(least)

    def _accept(self, response: SipMessage, asked: int) -> None:
        granted = granted_seconds(response, self._account, self._contact, asked)
        if granted <= 0:
            self._fail(f"{response.code} without keeping our Contact", refused=True)
            return
        self._bound, self._failures, self._alike = True, 0, 0
        pause = max(1.0, granted - min(granted / 2, max(granted / 10, REFRESH_BEFORE_SECONDS)))
        self._schedule(min(pause, LONGEST_PAUSE_SECONDS))
        now = datetime.now(UTC)
        if self.state.state != REGISTERED:
            log.info("registrar=%s registered for %d s", self._account.registrar, granted)
        self.state = RegistrationState(
            self._account.registrar,
            REGISTERED,
            until=now + timedelta(seconds=granted),
            next_try=now + timedelta(seconds=min(pause, LONGEST_PAUSE_SECONDS)),
        )

    def _refuse(self, response: SipMessage) -> None:
        away = response.code in (408, 480) or 500 <= response.code < 600
        retry_after = seconds_of(response.header("Retry-After"))
        self._fail(f"{response.code} {response.reason}"[:200].strip(), refused=not away, retry_after=retry_after)

    def _fail(self, reason: str, *, refused: bool = False, retry_after: int | None = None) -> None:
        """No registration this time: say so once, and try again later."""
        reason = "".join(character if character.isprintable() else "?" for character in reason)
        first, longest = (
            (self._pace.refused_first, self._pace.refused_longest)
            if refused
            else (self._pace.away_first, self._pace.away_longest)
        )
        kind = REFUSED if refused else TRYING
        # A PBX that starts anew is away, then refuses, then takes us: each kind of failure has its own doubling.
        self._alike = self._alike + 1 if kind == self.state.state and self._failures else 0
        pause = min(longest, first * 2 ** min(self._alike, 20)) * random.uniform(0.5, 1.0)
        if retry_after:
            # All that it sent away must not come back in the same second.
            pause = retry_after * random.uniform(1.0, 1.1)
        self._failures += 1
        self._schedule(pause)
        now = datetime.now(UTC)
        before, until = self.state, self.state.until
        self.state = RegistrationState(
            self._account.registrar,
            kind,
            reason,
            # What it granted before it went away holds until then.
            until if until is not None and until > now and not refused else None,
            now + timedelta(seconds=pause),
        )
        if (before.state, before.reason) != (self.state.state, reason):
            log.error("registrar=%s not registered: %s. Next attempt in %.0f s", self._account.registrar, reason, pause)

    def _schedule(self, pause: float) -> None:
        if not self._leaving:
            self._timer = self._transactions.timers.call_later(pause, self.start)
