"""SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966). Pure: text in, values out."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from voice.sip.errors import SipError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")
_FORBIDDEN = re.compile(r'[\x00-\x20\x7f<>"]')
_TEL = re.compile(r"\+?[0-9A-Fa-f*#().-]+")


@dataclass(frozen=True)
class SipUri:
    """A URI in its parts. user, params and headers are percent-decoded; `raw` is the text as it came.

    host: a name, an IPv4 address or an IPv6 address without brackets, lower case; empty for tel and foreign schemes.
    params: names in lower case; a parameter without value has "".
    """

    scheme: str
    user: str = ""
    host: str = ""
    port: int | None = None
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    raw: str = ""

    @property
    def is_sip(self) -> bool:
        return self.scheme in ("sip", "sips")

    @property
    def address(self) -> tuple[str, int] | None:
        """IP address and port where the host is an IP address; nothing is looked up here."""
        if not is_ip(self.host):
            return None
        return self.host, self.port or 5060

    def __str__(self) -> str:
        return self.raw


def parse_uri(text: str) -> SipUri:
    """SipError 400 where the text is no URI. Foreign schemes give a SipUri with scheme and raw only."""
    scheme, colon, rest = text.partition(":")
    if not colon or not _SCHEME.fullmatch(scheme) or _FORBIDDEN.search(text):
        raise SipError(400, "malformed URI")
    scheme = scheme.lower()
    if scheme in ("sip", "sips"):
        return _parse_sip(scheme, rest, text)
    if scheme == "tel":
        number, _, params = rest.partition(";")
        if not _TEL.fullmatch(number):
            raise SipError(400, "malformed tel URI")
        return SipUri("tel", user=number, params=_params(params, ";"), raw=text)
    return SipUri(scheme, raw=text)


def _parse_sip(scheme: str, rest: str, text: str) -> SipUri:
    # An unescaped @ may stand in a parameter such as target=sip:1001@host, never in the user: the first counts.
    user_info, at, host_part = rest.partition("@")
    if not at:
        user_info, host_part = "", rest
    host_part, _, headers = host_part.partition("?")
    host_port, _, params = host_part.partition(";")
    host, port = parse_host_port(host_port)
    user = user_info.partition(":")[0]
    if at and not user:
        raise SipError(400, "URI with an empty user")
    return SipUri(
        scheme, unquote(user, errors="replace"), host, port, _params(params, ";"), _params(headers, "&"), text
    )


def parse_host_port(text: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[IPv6]:port` (spaces around the colon are allowed in Via). SipError 400."""
    text = text.strip()
    if text.startswith("["):
        host, bracket, tail = text[1:].partition("]")
        if not bracket or not _is_version(host, 6):
            raise SipError(400, "malformed IPv6 address")
    else:
        host, colon, after = text.partition(":")
        host, tail = host.strip(), colon + after
        if not _HOST_NAME.fullmatch(host):
            raise SipError(400, "malformed host")
    tail = tail.strip()
    if not tail:
        return host.lower(), None
    digits = tail[1:].strip()
    if tail[0] != ":" or not (digits.isascii() and digits.isdigit()) or len(digits) > 5 or not 0 < int(digits) < 65536:
        raise SipError(400, "malformed port")
    return host.lower(), int(digits)


def is_ip(host: str) -> bool:
    """True for an IPv4 or IPv6 literal without brackets."""
    return _is_version(host, 4) or _is_version(host, 6)


def same_host(one: str, other: str) -> bool:
    """Whether two hosts are the same name or, however they are spelled, the same address (RFC 5118 section 4.5).

    An IPv4 address mapped into IPv6 is the IPv4 address.
    """
    return one == other or (is_ip(one) and is_ip(other) and _address(one) == _address(other))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def bracketed(host: str) -> str:
    """The host as it stands in a URI or Via: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _is_version(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version and "%" not in text
    except ValueError:
        return False


def _params(text: str, separator: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in text.split(separator):
        name, _, value = item.partition("=")
        if name:
            found.setdefault(unquote(name, errors="replace").lower(), unquote(value, errors="replace"))
    return found
