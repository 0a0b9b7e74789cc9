"""The client: one request, one answer, and errors in sentences."""

from __future__ import annotations

import functools
import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

import httpcore
import httpx

from app.net.connections import Backend, NotAllowed, Resolve, deadline, system_resolve

# It logs whole URLs, which may hold passwords and tokens.
logging.getLogger("httpx").setLevel(logging.WARNING)

LONGEST_URL = 2000
BAD_HEADER = "A header has a form that HTTP does not know."
DEFAULT_PORTS = {"http": 80, "https": 443}


class NetError(Exception):
    """A request that got no answer; str() is a sentence that holds neither credentials nor path of the URL."""


class BadRequest(NetError):
    """It cannot be asked for: the URL is none, or a header has a form that HTTP does not know."""


class Refused(NetError):
    """The name leads to no address that may be connected to."""


class Unreachable(NetError):
    """The name is unknown, nobody listens, TLS failed, or the connection broke."""


class TimedOut(Unreachable):
    """No whole answer came in time."""


@dataclass(frozen=True)
class Limits:
    """Seconds to connect, between two pieces, and for everything together; the most bytes of a body that are read."""

    connect: float = 5.0
    read: float = 10.0
    total: float = 10.0
    body_bytes: int = 65536


@dataclass(frozen=True)
class Answer:
    """What came back. cut: the body went on beyond the limit. seconds: how long it all took."""

    status: int
    headers: httpx.Headers
    body: bytes
    cut: bool
    seconds: float


class Client:
    """Asks for URLs; kept connections are those of this client. It may be used by several threads."""

    def __init__(
        self,
        *,
        allowed: Iterable[str] = (),
        limits: Limits | None = None,
        resolve: Resolve = system_resolve,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """allowed: networks (CIDR) beside the public ones. trust: certificates, else those that the host trusts."""
        self._limits = limits or Limits()
        networks = tuple(ipaddress.ip_network(text, strict=False) for text in allowed)
        backend = Backend(networks, resolve)
        timeout = httpx.Timeout(self._limits.read, connect=self._limits.connect)
        self._http = httpx.Client(
            transport=_Transport(backend, trust or _system_trust()),
            timeout=timeout,
            trust_env=False,
            follow_redirects=False,
            # What is read is counted as it comes; a compressed answer could grow without end.
            headers={"Accept-Encoding": "identity"},
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all connections."""
        self._http.close()

    def request(
        self, method: str, url: str, *, headers: Iterable[tuple[str, str]] = (), content: bytes = b""
    ) -> Answer:
        """One request and its answer, whatever its status; NetError."""
        target = checked_url(url)
        place, began = place_of(target), time.monotonic()
        raw = [(_header_name(name), value.encode()) for name, value in headers]
        token = deadline.set(began + self._limits.total)
        try:
            request = self._http.build_request(method, target, headers=raw, content=content)
            response = self._http.send(request, stream=True)
            try:
                body, cut = _read(response, self._limits.body_bytes)
            finally:
                response.close()
        except httpcore.TimeoutException:
            raise TimedOut(f"{place} gave no whole answer within {self._limits.total:g} s.") from None
        except httpcore.LocalProtocolError:
            raise BadRequest(BAD_HEADER) from None
        except NotAllowed as error:
            raise Refused(f"{place} leads to {error}, which is no public address; networks can be allowed.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpx.HTTPError, OSError, UnicodeError) as error:
            raise Unreachable(f"{place}: {_reason(error)}.") from None
        finally:
            deadline.reset(token)
        return Answer(response.status_code, response.headers, body, cut, time.monotonic() - began)


def checked_url(url: str) -> httpx.URL:
    """The URL, where it is one of http or https with a host; BadRequest."""
    wrong = "This is not an http or https address, such as https://example.com/hook."
    if len(url) > LONGEST_URL:
        raise BadRequest(f"An address has at most {LONGEST_URL} characters.")
    try:
        found = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError):
        raise BadRequest(wrong) from None
    good = found.scheme in DEFAULT_PORTS and found.host and "%" not in found.host
    if not good or not 0 < (80 if found.port is None else found.port) < 65536:
        raise BadRequest(wrong)
    return found


def place_of(url: httpx.URL) -> str:
    """Host and port, which is what may be said of a URL in logs and errors."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{host}:{url.port or DEFAULT_PORTS[url.scheme]}"


class _Transport(httpx.BaseTransport):
    """httpx over our own connections; errors are those of httpcore."""

    def __init__(self, backend: httpcore.NetworkBackend, trust: ssl.SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(ssl_context=trust, network_backend=backend, keepalive_expiry=5.0)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        asked = httpcore.Request(
            request.method,
            url,
            headers=request.headers.raw,
            content=request.read(),
            extensions=request.extensions,
        )
        answer = self._pool.handle_request(asked)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer), request=request)

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    """The body of an answer as it comes."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _header_name(name: str) -> bytes:
    if not name.isascii():
        raise BadRequest(BAD_HEADER)
    return name.encode()


def _read(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """The body up to so many bytes, and whether there was more."""
    body = bytearray()
    for block in response.iter_raw():
        body += block
        if len(body) > limit:
            return bytes(body[:limit]), True
    return bytes(body), False


def _reason(error: Exception) -> str:
    """Why a request failed, in a few words."""
    # httpcore hides what its errors come from, but does not take it off.
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, (socket.gaierror, UnicodeError)):
        return "the name is not known"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {cause.verify_message.rstrip('.')}"
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {(cause.reason or 'no reason given').replace('_', ' ').lower()}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    if isinstance(error, httpcore.ProtocolError):
        return "the answer is not HTTP, or was cut off"
    return (str(error) or "the connection broke").rstrip(".").lower()


@functools.cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()
