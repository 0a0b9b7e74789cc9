"""What an INVITE says about who calls whom and why (RFC 4458, RFC 7044, RFC 5806, RFC 7315).

Pure; never raises: what cannot be read is left out. All values are percent-decoded and bounded, separators are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from voice.sip.errors import SipError
from voice.sip.headers import NameAddr, parse_name_addr, parse_params, split_list
from voice.sip.message import SipMessage
from voice.sip.uri import SipUri, parse_uri

MAX_USER = 128
MAX_NAME = 128
MAX_ENTRIES = 50
MAX_X_HEADERS, MAX_X_NAME, MAX_X_VALUE = 30, 64, 512


@dataclass(frozen=True)
class HistoryEntry:
    """One History-Info value: a party that the call was sent to.

    index: such as 1.2; cause: the SIP status for which the call left this party (its Reason, else the cause parameter
    of the entry that follows), None where nothing says.
    """

    user: str
    index: str
    cause: int | None


@dataclass(frozen=True)
class Diversion:
    """One Diversion value: who diverted the call. reason: in lower case, such as user-busy or no-answer."""

    user: str
    reason: str


@dataclass(frozen=True)
class InviteFacts:
    """dialled_user: of the Request-URI; target_user, target_cause: its parameters of RFC 4458; history: oldest first;
    diversions: newest first, as they stand. Users and names that are not there are empty. x_headers: headers whose
    names begin with X-, as written, of each name the first."""

    dialled_user: str
    target_user: str
    target_cause: int | None
    history: tuple[HistoryEntry, ...]
    diversions: tuple[Diversion, ...]
    called_party_user: str
    to_user: str
    caller_number: str
    caller_name: str
    x_headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, message: SipMessage) -> InviteFacts:
        """The facts of an INVITE."""
        called_party = _addresses(message, "P-Called-Party-ID")
        return cls(
            dialled_user=_user(message.uri),
            target_user=_target(message.uri),
            target_cause=_number(message.uri.params.get("cause", "")),
            history=_history(message),
            diversions=tuple(_diversion(value) for value in _addresses(message, "Diversion")),
            called_party_user=_user(called_party[0].uri) if called_party else "",
            to_user=_user(message.to.uri),
            caller_number=_user(message.from_.uri),
            caller_name=_clean(message.from_.display, MAX_NAME),
            x_headers=_x_headers(message),
        )


def _addresses(message: SipMessage, header: str) -> list[NameAddr]:
    found: list[NameAddr] = []
    for value in message.header_values(header)[:MAX_ENTRIES]:
        try:
            found.append(parse_name_addr(value))
        except SipError:
            continue
    return found


def _x_headers(message: SipMessage) -> tuple[tuple[str, str], ...]:
    """In order, bounded in number and length."""
    found: dict[str, tuple[str, str]] = {}
    for name in message.names:
        if len(found) >= MAX_X_HEADERS:
            break
        key = name.lower()
        value = message.header(name) if key.startswith("x-") and len(name) <= MAX_X_NAME else None
        if value is not None and key not in found:
            found[key] = name, _clean(value, MAX_X_VALUE)
    return tuple(found.values())


def _user(uri: SipUri) -> str:
    return _clean(uri.user, MAX_USER)


def _target(uri: SipUri) -> str:
    target = uri.params.get("target", "")
    if not target:
        return ""
    try:
        return _user(parse_uri(target))
    except SipError:
        # A bare number, or number@host without a scheme.
        return _clean(target.partition("@")[0].partition(":")[0], MAX_USER)


def _history(message: SipMessage) -> tuple[HistoryEntry, ...]:
    found = sorted(_addresses(message, "History-Info"), key=_index)
    entries = []
    for place, address in enumerate(found):
        # RFC 4458 writes the cause into the new target, RFC 7044 the Reason into the old one.
        target = found[min(place + 1, len(found) - 1)]
        cause = _reason_cause(address.uri) or _number(target.uri.params.get("cause", ""))
        index = ".".join(str(number) for number in _index(address))
        entries.append(HistoryEntry(_user(address.uri), index, cause))
    return tuple(entries)


def _index(address: NameAddr) -> tuple[int, ...]:
    parts = address.params.get("index", "").split(".")[:MAX_ENTRIES]
    return tuple(_number(part) or 0 for part in parts if part)


def _reason_cause(uri: SipUri) -> int | None:
    """The status in a Reason that stands as a header inside of the URI: ?Reason=SIP%3Bcause%3D486."""
    for reason in split_list(uri.headers.get("reason", "")):
        protocol, _, params = reason.partition(";")
        if protocol.strip().upper() == "SIP":
            return _number(parse_params(params).get("cause", ""))
    return None


def _diversion(address: NameAddr) -> Diversion:
    reason = unquote(address.params.get("reason", ""), errors="replace").lower()
    return Diversion(_user(address.uri), _clean(reason, 64) or "unknown")


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _clean(text: str, limit: int) -> str:
    """Printable characters only, no undecodable bytes, at most `limit`."""
    text = text[: limit * 2].encode("utf-8", "replace").decode("utf-8")
    return "".join(character for character in text if character.isprintable())[:limit].strip()
