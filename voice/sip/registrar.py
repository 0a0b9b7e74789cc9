"""What we send to a registrar and read in its answers (RFC 3261 section 10), and where it is."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from urllib.parse import quote

from voice.sip.errors import SipError
from voice.sip.headers import NameAddr, parse_name_addr
from voice.sip.message import Address, SipMessage
from voice.sip.response import ALLOW, SERVER, Headers, serialise
from voice.sip.timers import Timers
from voice.sip.uri import bracketed, is_ip, parse_host_port

log = logging.getLogger(__name__)
SIP_PORT = 5060
# What may stand in the user part of a URI without an escape (RFC 3261 section 25.1).
USER_CHARACTERS = "-_.!~*'()&=+$,;?/"
LONGEST_SECONDS = 7 * 86400
KNOWN_SECONDS, UNKNOWN_SECONDS = 600.0, 15.0
"""From one look-up of a registrar's name to the next, where it was found and where it was not."""
# A list of addresses, or why there is none.
Found = list[Address] | str


@dataclass(frozen=True)
class Account:
    """Who we are at a registrar.

    registrar: `host` or `host:port`; username: of the address of record and of our Contact; auth_username: of the
    digest, empty for the same one; expires: seconds that we ask for.
    """

    registrar: str
    username: str
    password: str = ""
    auth_username: str = ""
    expires: int = 3600

    @cached_property
    def place(self) -> Address:
        """Host (a name, or an IP address without brackets) and port."""
        host, port = parse_host_port(self.registrar)
        return host, port or SIP_PORT

    @property
    def uri(self) -> str:
        """The Request-URI of REGISTER: the registrar's domain, without a user."""
        host, port = parse_host_port(self.registrar)
        return f"sip:{bracketed(host)}" + (f":{port}" if port else "")

    @property
    def user(self) -> str:
        """The user name as it stands in a URI."""
        return quote(self.username, safe=USER_CHARACTERS)

    @property
    def address_of_record(self) -> str:
        return f"sip:{self.user}@{bracketed(self.place[0])}"


class Resolver:
    """Looks a host up without holding up the SIP thread: each time in a thread that lives as long as that takes."""

    def __init__(self, place: Address, family: socket.AddressFamily) -> None:
        self._place, self._family = place, family

    def look_up(self, on_found: Callable[[Found], None]) -> None:
        """Call on_found once: at once for an IP address, else from another thread."""
        host, port = self._place
        if is_ip(host):
            on_found([(host, port)])
            return
        thread = threading.Thread(target=lambda: on_found(self._resolve()), name=f"look up {host}"[:40], daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            on_found(str(error))

    def _resolve(self) -> Found:
        host, port = self._place
        try:
            rows = socket.getaddrinfo(host, port, self._family, socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            return getattr(error, "strerror", None) or str(error)
        return list(dict.fromkeys((str(row[4][0]), int(row[4][1])) for row in rows)) or "no address"


class Acquaintance:
    """Knows a PBX's addresses: a registrar's calls come before we have registered, and where another worker does it."""

    def __init__(
        self,
        resolver: Resolver,
        timers: Timers,
        post: Callable[[Callable[[], None]], object],
        on_addresses: Callable[[frozenset[str]], None],
        whose: str = "the registrar's name cannot be looked up, by which its calls are known",
    ) -> None:
        """post: runs something in the SIP thread; on_addresses: told them each time that they were looked up.

        whose: what the log says where there are none.
        """
        self._resolver, self._timers, self._post, self._on_addresses = resolver, timers, post, on_addresses
        self._whose = whose
        self._problem = ""

    def start(self) -> None:
        """Look them up now, and again from time to time; nothing is waited for."""
        self._resolver.look_up(self._found)

    def _found(self, found: Found) -> None:
        """Called in the thread that looked it up."""
        self._post(partial(self._looked_up, found))

    def _looked_up(self, found: Found) -> None:
        problem = found if isinstance(found, str) else ""
        if problem and problem != self._problem:
            log.error("%s: %s", self._whose, problem)
        self._problem = problem
        if not isinstance(found, str):
            self._on_addresses(frozenset(host for host, _ in found))
        self._timers.call_later(UNKNOWN_SECONDS if problem else KNOWN_SECONDS, self.start)


def build_register(
    account: Account,
    *,
    contact: Address,
    branch: str,
    tag: str,
    call_id: str,
    sequence: int,
    expires: int,
    headers: Headers = (),
) -> bytes:
    """A REGISTER of our Contact for `expires` seconds; 0 takes it back."""
    host = f"{bracketed(contact[0])}:{contact[1]}"
    fields = [
        ("Via", f"SIP/2.0/UDP {host};branch={branch};rport"),
        ("Max-Forwards", "70"),
        ("From", f"<{account.address_of_record}>;tag={tag}"),
        ("To", f"<{account.address_of_record}>"),
        ("Call-ID", call_id),
        ("CSeq", f"{sequence} REGISTER"),
        ("Contact", f"<{contact_uri(account, contact)}>;expires={expires}"),
        ("Expires", str(expires)),
        ALLOW,
        ("User-Agent", SERVER),
        *headers,
    ]
    return serialise(f"REGISTER {account.uri} SIP/2.0", fields, b"")


def contact_uri(account: Account, contact: Address) -> str:
    """Our Contact: where the registrar's calls for us are to go."""
    return f"sip:{account.user}@{bracketed(contact[0])}:{contact[1]}"


def granted_seconds(response: SipMessage, account: Account, contact: Address, asked: int) -> int:
    """How long our Contact is bound, in seconds: its own `expires`, else the Expires header, else `asked`.

    RFC 3261 section 10.2.4.
    The answer lists every Contact of the address of record, also those of others. Where none of them is ours, as behind
    a border controller that writes its own, the shortest counts.
    """
    header = seconds_of(response.header("Expires"))
    usual = asked if header is None else header
    found = [_binding(value) for value in response.header_values("Contact")]
    bindings = [binding for binding in found if binding is not None]
    ours = [binding for binding in bindings if _is_ours(binding, account, contact)]
    granted = [seconds_of(binding.params.get("expires")) for binding in ours or bindings]
    return min((usual if seconds is None else seconds for seconds in granted), default=usual)


def seconds_of(value: str | None) -> int | None:
    """delta-seconds of Expires, Min-Expires and Retry-After, at most a week; None where there is no number.

    A comment and parameters may follow (RFC 3261 section 20.33).
    """
    digits = (value or "").split("(")[0].split(";")[0].strip()
    if not (digits.isascii() and digits.isdigit()):
        return None
    return min(int(digits[:12]), LONGEST_SECONDS)


def _binding(value: str) -> NameAddr | None:
    try:
        return parse_name_addr(value)
    except SipError:
        return None


def _is_ours(binding: NameAddr, account: Account, contact: Address) -> bool:
    uri = binding.uri
    return uri.is_sip and uri.user == account.username and (uri.host, uri.port or SIP_PORT) == contact
