"""Header fields and their values (RFC 3261 sections 7.3 and 25). Pure: text in, values out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from voice.sip.errors import SipError
from voice.sip.uri import SipUri, bracketed, parse_host_port, parse_uri, same_host

# RFC 3261 section 7.3.3, RFC 3265, RFC 3515, RFC 4028, RFC 6665
COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "c": "content-type",
    "l": "content-length",
    "k": "supported",
    "s": "subject",
    "e": "content-encoding",
    "o": "event",
    "u": "allow-events",
    "r": "refer-to",
    "b": "referred-by",
    "x": "session-expires",
    "j": "reject-contact",
    "d": "request-disposition",
    "a": "accept-contact",
}
SINGLE = frozenset({"from", "to", "call-id", "cseq", "max-forwards", "content-type", "content-length"})
TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_VIA = re.compile(r"SIP\s*/\s*([0-9.]+)\s*/\s*([A-Za-z0-9.!%*_+`'~-]+)\s+(.*)", re.I | re.S)
_NAME = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.S)
# More than any way through any number of proxies adds; each costs time.
MAX_FIELDS = 256
# What a list is cut at, after quoted strings and what stands in <>; one that does not close goes on to the end.
_STOPS = {separator: re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|<[^>]*|' + separator, re.S) for separator in (",", ";")}


@dataclass(frozen=True)
class NameAddr:
    """display name (unquoted), URI, header parameters (names in lower case)."""

    display: str
    uri: SipUri
    params: dict[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        return self.params.get("tag", "")


@dataclass(frozen=True)
class Via:
    """One hop. params keep order and case; a parameter without value has None."""

    transport: str
    host: str
    port: int | None
    params: tuple[tuple[str, str | None], ...]

    def param(self, name: str) -> str | None:
        """The value, "" where it stands without one, None where it is absent."""
        for key, value in self.params:
            if key.lower() == name:
                return value or ""
        return None

    @property
    def branch(self) -> str:
        return self.param("branch") or ""

    @property
    def sent_by(self) -> str:
        return f"{bracketed(self.host)}:{self.port or 5060}"

    def answered_to(self, source: tuple[str, int]) -> str:
        """The value for the response: `received` and `rport` filled from the source (RFC 3261 18.2.1, RFC 3581)."""
        params = [(key, value) for key, value in self.params if key.lower() not in ("received", "rport")]
        if self.param("rport") is not None:
            params += [("received", source[0]), ("rport", str(source[1]))]
        elif not same_host(self.host, source[0]):
            params.append(("received", source[0]))
        port = f":{self.port}" if self.port else ""
        text = "".join(f";{key}" if value is None else f";{key}={value}" for key, value in params)
        return f"SIP/2.0/{self.transport} {bracketed(self.host)}{port}{text}"


def canonical_name(name: str) -> str:
    """A header's name in lower case, compact forms written out."""
    name = name.strip().lower()
    return COMPACT.get(name, name)


def split_fields(head: str) -> list[tuple[str, str]]:
    """Header lines to (canonical name, value); folded lines are joined. SipError 400, also for more than MAX_FIELDS."""
    fields: list[tuple[str, list[str]]] = []
    for line in head.split("\r\n"):
        if "\r" in line or "\n" in line:
            raise SipError(400, "bare CR or LF in a header")
        if line[:1] in (" ", "\t"):
            if not fields:
                raise SipError(400, "header begins with a folded line")
            fields[-1][1].append(line.strip(" \t"))
            continue
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name.rstrip(" \t")):
            raise SipError(400, "malformed header line")
        if len(fields) >= MAX_FIELDS:
            raise SipError(400, "too many headers")
        fields.append((canonical_name(name), [value.strip(" \t")]))
    return [(name, " ".join(filter(None, pieces))) for name, pieces in fields]


def split_list(value: str, separator: str = ",") -> list[str]:
    """Split at separators that stand outside of quotes and of <>; empty items are dropped."""
    plain = '"' not in value and "<" not in value
    items = value.split(separator) if plain else _split_with_care(value, separator)
    return [item for item in map(str.strip, items) if item]


def _split_with_care(value: str, separator: str) -> list[str]:
    items, start = [], 0
    for match in _STOPS[separator].finditer(value):
        if match[0] == separator:
            items.append(value[start : match.start()])
            start = match.end()
    return [*items, value[start:]]


def parse_params(text: str) -> dict[str, str]:
    """`;a=1;b="x y";c` to a dict; quoted values are unquoted."""
    found: dict[str, str] = {}
    for item in split_list(text, ";"):
        name, _, value = item.partition("=")
        if name.strip():
            found.setdefault(name.strip().lower(), unquote_string(value.strip()))
    return found


def unquote_string(value: str) -> str:
    """A quoted-string without its quotes and escapes; other text as it is."""
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.S)
    return value


def parse_name_addr(value: str) -> NameAddr:
    """name-addr or addr-spec with header parameters (RFC 3261 section 20.10). SipError 400."""
    value = value.strip()
    display, rest = _display_name(value)
    if rest.startswith("<"):
        uri, closed, tail = rest[1:].partition(">")
        if not closed:
            raise SipError(400, "< without >")
        tail = tail.strip()
        if tail and not tail.startswith(";"):
            raise SipError(400, "text behind an address")
        return NameAddr(display, parse_uri(uri), parse_params(tail))
    # Without <> the parameters belong to the header, not to the URI.
    uri, _, tail = rest.partition(";")
    return NameAddr("", parse_uri(uri.strip()), parse_params(tail))


def _display_name(value: str) -> tuple[str, str]:
    if value.startswith('"'):
        closed = _QUOTED.match(value)
        if not closed:
            raise SipError(400, "quotes do not close")
        rest = value[closed.end() :].lstrip()
        if not rest.startswith("<"):
            raise SipError(400, "a quoted display name without <")
        return unquote_string(closed.group()), rest
    before, angle, after = value.partition("<")
    if not angle:
        return "", value
    if '"' in before or ";" in before or "," in before:
        raise SipError(400, "malformed display name")
    return before.strip(), angle + after


def parse_via(value: str) -> Via:
    """SipError 400; 505 where the version is not 2.0."""
    match = _VIA.fullmatch(value.strip())
    if not match:
        raise SipError(400, "malformed Via")
    if match[1] != "2.0":
        raise SipError(505, "Via of another SIP version")
    sent_by, _, tail = match[3].partition(";")
    host, port = parse_host_port(sent_by)
    params: list[tuple[str, str | None]] = []
    for item in split_list(tail, ";"):
        name, equals, text = item.partition("=")
        if not TOKEN.fullmatch(name.strip()):
            raise SipError(400, "malformed Via parameter")
        params.append((name.strip(), text.strip() if equals else None))
    return Via(match[2].upper(), host, port, tuple(params))


def parse_cseq(value: str) -> tuple[int, str]:
    """Number and method. SipError 400; numbers go up to 2**31 - 1 (RFC 3261 section 8.1.1.5)."""
    parts = value.split()
    if (
        len(parts) != 2
        or not (parts[0].isascii() and parts[0].isdigit())
        or len(parts[0]) > 10
        or not TOKEN.fullmatch(parts[1])
    ):
        raise SipError(400, "malformed CSeq")
    number = int(parts[0])
    if number >= 2**31:
        raise SipError(400, "CSeq number too large")
    return number, parts[1]
