"""URLs as they go over the wire, and as they may be shown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urldefrag, urljoin, urlsplit

from app import net

# Servers take 8 kB and more in a request line; parameters of a GET stand in it.
LONGEST_URL = 16_000
HIDDEN = "***"
# What some servers write otherwise when they put a URL together anew stays as it is.
_LEFT = "-._~!$'()*,/:;?@"
_USERINFO = re.compile(r"(?<=://)[^/?#@]*(?:@[^/?#@]*)*@")
_ANY_USERINFO = re.compile(r"(?<=//).*@", re.DOTALL)
_SECRET = re.compile(
    r"(?i)(?<=[?&])([^=&#]*(?:password|passwd|secret|token|api[-_]?key|access[-_]?key|signature)[^=&#]*=)[^&#]*"
)


@dataclass(frozen=True)
class Target:
    """A URL to be asked for.

    url: what is requested and signed, to the byte: without user, password and fragment, with a path, what is not
    ASCII encoded, all else as it was written. base: what relative URLs are relative to: with user and password.
    authorization: the value of the header (RFC 7617), or empty. origin: scheme, host and port.
    """

    url: str
    base: str
    authorization: str
    origin: str
    place: str


def target_of(url: str) -> Target:
    """The target; net.BadRequest where it is no URL of http or https."""
    parsed = net.checked_url(urldefrag(url.strip()).url, LONGEST_URL)
    host = _host_as_written(url.strip(), parsed.raw_host.decode())
    host = f"[{host}]" if ":" in host else host
    port = f":{parsed.port}" if parsed.port is not None else ""
    path, _, query = parsed.raw_path.decode().partition("?")
    # A ? without anything after it is lost as soon as somebody takes a URL apart.
    wire = f"{parsed.scheme}://{host}{port}{path}{'?' if query else ''}{query}"
    given = f"{parsed.userinfo.decode()}@" if parsed.userinfo else ""
    place = net.place_of(parsed)
    return Target(
        wire, wire.replace("://", f"://{given}", 1), net.basic_of(parsed), f"{parsed.scheme}://{place}", place
    )


def _host_as_written(url: str, host: str) -> str:
    """A host's name is the same in capitals, but whoever checks a signature may write it as it was set."""
    try:
        netloc = urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return host
    written = netloc if netloc.startswith("[") else netloc.partition(":")[0]
    return written if written.lower() == host else host


def host_header(target: Target) -> str:
    """The value of the Host header: as the host is written in the URL."""
    return urlsplit(target.url).netloc


def with_query(url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """The URL with parameters after those that it has. What stands in it is not touched."""
    bare, _, fragment = url.partition("#")
    pairs = "&".join(_written(pair) for pair in parameters)
    if not pairs:
        return url
    joint = "" if bare.endswith(("?", "&")) else "&" if "?" in bare else "?"
    return f"{bare}{joint}{pairs}{'#' if fragment else ''}{fragment}"


def names_in(url: str) -> set[str]:
    """The names of the parameters in a query."""
    return {name for name, _ in _pairs(urlsplit(url).query)}


def without(url: str, parameters: Iterable[tuple[str, str]], before: str) -> str:
    """The URL without those of the parameters that another one, `before`, does not have itself.

    Only a name with the very value goes, however it is encoded. What is left is not touched.
    """
    bare, _, query = url.partition("?")
    sent = {_written(pair) for pair in parameters}
    own = Counter(_written(pair) for pair in _pairs(before.partition("?")[2]))
    left = []
    for part in query.split("&"):
        written = "&".join(map(_written, _pairs(part)))
        if written not in sent or own[written] > 0:
            left.append(part)
        own[written] -= 1
    rest = "&".join(left)
    return f"{bare}?{rest}" if rest else bare


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _written(pair: tuple[str, str]) -> str:
    return f"{_quoted(pair[0])}={_quoted(pair[1])}"


def _quoted(text: str) -> str:
    return quote(text, safe=_LEFT, errors="replace").replace("%20", "+")


def joined(base: str, reference: str) -> str:
    """What a relative URL means beside another one (RFC 3986 section 5); net.BadRequest where it is none."""
    with suppress(ValueError):
        given = urlsplit(reference.strip())
        if given.netloc or not given.scheme:
            return urljoin(base, reference.strip())
    raise net.BadRequest("This is not an http or https address, such as https://example.com/voice.")


def shown(url: str) -> str:
    """A URL for traces, logs and other servers: without user and password, and without values that are secrets."""
    try:
        net.checked_url(url, LONGEST_URL)
    except net.BadRequest:
        # Where its parts begin and end is not known.
        url = _ANY_USERINFO.sub(f"{HIDDEN}@", url)
    return _SECRET.sub(rf"\g<1>{HIDDEN}", _USERINFO.sub(f"{HIDDEN}@", url))


def shown_parameters(parameters: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Parameters for traces: values that are secrets are hidden, as in a URL."""
    return tuple((name, HIDDEN if _SECRET.search(f"?{name}=") else value) for name, value in parameters)
