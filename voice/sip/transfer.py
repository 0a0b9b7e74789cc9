"""A blind transfer that we ask for: REFER in the dialog, and what becomes of it (RFC 3515, RFC 5589 section 6)."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import quote

from voice.sip.authentication import Authenticator, CannotAuthenticate
from voice.sip.dialog import Dialog
from voice.sip.digest import Credentials
from voice.sip.errors import SipError
from voice.sip.headers import parse_params
from voice.sip.message import Address, SipMessage
from voice.sip.registrar import SIP_PORT, USER_CHARACTERS
from voice.sip.timers import Timer
from voice.sip.transactions import Transactions
from voice.sip.uri import bracketed, parse_uri

log = logging.getLogger(__name__)
PACKAGE = "refer"
_NUMBER = re.compile(r"[0-9A-Za-z*#+._-]{1,64}")
_STATUS = re.compile(rb"SIP/2\.0[ \t]+([1-6][0-9]{2})(?![0-9])")


@dataclass(frozen=True)
class Patience:
    """How long a transfer may take, in seconds: from the 2xx to REFER to the first NOTIFY, and from that to the last.

    The latter begins anew where the call to the target gets on, `steps` times in all.
    """

    first: float = 8.0
    last: float = 60.0
    steps: int = 4


def refer_to(target: str, place: Address) -> str:
    """The URI that Refer-To names: a number at the PBX's place, or a sip: URI as it is. ValueError for all else."""
    if _NUMBER.fullmatch(target):
        host, port = place
        tail = "" if port == SIP_PORT else f":{port}"
        return f"sip:{quote(target, safe=USER_CHARACTERS)}@{bracketed(host)}{tail}"
    try:
        uri = parse_uri(target)
    except SipError as error:
        raise ValueError(f"a transfer to {target[:80]!r}: {error.detail}") from None
    # Headers in it would be written into the INVITE that the other side sends.
    if not uri.is_sip or uri.headers or "?" in target:
        raise ValueError(f"a transfer to {target[:80]!r}: neither a number nor a plain sip: URI")
    return target


class Transfer:
    """One REFER and the subscription that comes with it. In the SIP thread only.

    on_moved is called, and then result is True, where the other side has reached the target or takes care of it by
    itself; result is False where it refuses, fails or says nothing in time.
    """

    def __init__(
        self,
        transactions: Transactions,
        dialog: Dialog,
        target: str,
        contact: str,
        *,
        credentials: Credentials,
        may_challenge: Callable[[str], bool],
        patience: Patience,
        on_moved: Callable[[], None],
        result: Future[bool],
    ) -> None:
        """target: see refer_to(); contact: our own URI in angle brackets, for Contact and Referred-By (RFC 3892).

        may_challenge: whether this IP address may ask for our password.
        """
        self._transactions, self._dialog, self._patience = transactions, dialog, patience
        self._target, self._contact, self._on_moved, self._result = target, contact, on_moved, result
        self._authenticator, self._may_challenge = Authenticator(credentials), may_challenge
        self._destination = ""
        self._numbers: set[str] = set()
        self._timer: Timer | None = None
        self._subscribed = True
        # The highest 1xx of the target, and how often it rose.
        self._progress, self._steps = -1, 0
        self._accepted = self._over = False

    @property
    def is_under_way(self) -> bool:
        """REFER was accepted, so that a BYE of the other side means that the call has moved."""
        return self._accepted and not self._over

    def begin(self) -> None:
        """Send the REFER."""
        self._authenticator.begin()
        self._send()

    def stop(self, moved: bool) -> None:
        """The call is over; moved: because the other side has taken it. Harmless where the transfer is over."""
        if not self._over:
            self._over = True
            if self._timer:
                self._timer.cancel()
            self._result.set_result(moved)

    def notified(self, request: SipMessage) -> None:
        """A NOTIFY of this dialog that was answered; one of a transfer before this one says nothing."""
        event_id = parse_params((request.header("Event") or "").partition(";")[2]).get("id")
        if self._over or (event_id and event_id not in self._numbers):
            return
        # It may overtake the 2xx: it says the same.
        if not self._accepted:
            self._accept()
        found = _STATUS.match(request.content.lstrip())
        status = int(found[1]) if found else 0
        state = (request.header("Subscription-State") or "").partition(";")[0].strip().lower()
        log.info("call=%s transfer status=%s %s", self._dialog.call_id, status or "-", state)
        if status >= 200:
            self._end(status < 300)
        elif state == "terminated":
            # Without a final status: what comes of it nobody will tell.
            self._end(False)
        else:
            self._get_on(status)

    def _send(self) -> None:
        # The Contact may have moved since the challenge.
        is_for_pbx = self._may_challenge(self._dialog.next_hop[0])
        headers = [
            ("Contact", self._contact),
            ("Refer-To", f"<{self._target}>"),
            ("Referred-By", self._contact),
            *(self._authenticator.headers("REFER", self._dialog.request_uri) if is_for_pbx else ()),
        ]
        branch = f"z9hG4bK{secrets.token_hex(12)}"
        data, destination = self._dialog.build_request("REFER", branch, headers)
        self._destination = destination[0]
        self._numbers.add(str(self._dialog.local_sequence))
        self._transactions.request(data, destination, branch, "REFER", self._answered)

    def _answered(self, response: SipMessage | None) -> None:
        if self._over:
            return
        if response is None:
            log.warning("call=%s no answer to REFER", self._dialog.call_id)
            self._end(False)
        elif response.code < 300:
            # RFC 4488: the other side tells no more of it.
            self._subscribed = (response.header("Refer-Sub") or "").strip().lower() != "false"
            if not self._accepted:
                self._accept()
        elif response.code in (401, 407):
            try:
                self._authenticator.take(response, may_ask=self._may_challenge(self._destination))
            except CannotAuthenticate as error:
                log.warning("call=%s REFER got %d: %s", self._dialog.call_id, response.code, error)
                self._end(False)
                return
            self._send()
        else:
            log.info("call=%s REFER got %d", self._dialog.call_id, response.code)
            self._end(False)

    def _accept(self) -> None:
        self._accepted = True
        self._wait(self._patience.first)

    def _get_on(self, status: int) -> None:
        """A 1xx, or 0 for what cannot be read: 100, 180 and 183 come one after the other, and each is worth a wait."""
        # Only higher ones, and not for ever: a PBX that tells the same all the time would hold the call for as long.
        if status > self._progress and self._steps < self._patience.steps:
            self._progress, self._steps = status, self._steps + 1
            self._wait(self._patience.last)

    def _wait(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self._transactions.timers.call_later(seconds, self._too_long)

    def _too_long(self) -> None:
        if self._subscribed:
            log.warning("call=%s the transfer was accepted, but nothing came of it", self._dialog.call_id)
        self._end(not self._subscribed)

    def _end(self, moved: bool) -> None:
        if moved and not self._over:
            self._on_moved()
        self.stop(moved)


def check_event(request: SipMessage) -> None:
    """SipError 489 for a NOTIFY that is not of a transfer."""
    if (request.header("Event") or "").partition(";")[0].strip().lower() != PACKAGE:
        raise SipError(489, "NOTIFY of another event", (("Allow-Events", PACKAGE),))
