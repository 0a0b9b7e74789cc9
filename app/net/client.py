"""The client: one request, one answer, and errors in sentences."""

from __future__ import annotations

import base64
import functools
import io
import ipaddress
import logging
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import IO

import httpcore
import httpx

from app.hosts import bracketed
from app.net.connections import Backend, NotAllowed, Resolve, deadline, system_resolve

# It logs whole URLs, which may hold passwords and tokens.
logging.getLogger("httpx").setLevel(logging.WARNING)

LONGEST_URL = 2000
BAD_HEADER = "A header has a form that HTTP does not know."
DEFAULT_PORTS = {"http": 80, "https": 443}
# Why a request got no answer: the name is not known, no connection, TLS, a certificate, no HTTP.
WHYS = NAME, CONNECTION, TLS, CERTIFICATE, PROTOCOL = ("name", "connection", "tls", "certificate", "protocol")


class NetError(Exception):
    """A request that got no answer; str() is a sentence that holds neither credentials nor path of the URL.

    why: one of WHYS, or empty where it is of no interest.
    """

    def __init__(self, text: str, why: str = "") -> None:
        super().__init__(text)
        self.why = why


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
    """Seconds to connect, between two pieces, and for everything together; the most bytes of a body that are read.

    url_characters: of the longest URL. connections: that may be open at a time; whoever comes later waits.
    """

    connect: float = 5.0
    read: float = 10.0
    total: float = 10.0
    body_bytes: int = 65536
    url_characters: int = LONGEST_URL
    connections: int = 10


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
        # httpx writes requests; its client would keep cookies, of which each call has its own.
        self._transport = _Transport(backend, trust or _system_trust(), self._limits.connections)
        self._http = httpx.Client(
            transport=self._transport,
            timeout=timeout,
            trust_env=False,
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
        self,
        method: str,
        url: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        content: bytes = b"",
        total: float | None = None,
        most: int | None = None,
        into: IO[bytes] | None = None,
    ) -> Answer:
        """One request and its answer, whatever its status; NetError.

        total, most: seconds for everything, and bytes of a body, in place of those of the limits. into: a file that
        takes the body of a 200, which is large.
        """
        target = checked_url(url, self._limits.url_characters)
        place, began = place_of(target), time.monotonic()
        total = self._limits.total if total is None else total
        raw = [(_header_name(name), value.encode()) for name, value in headers]
        if basic := basic_of(target):
            raw.append((b"Authorization", basic.encode()))
        token = deadline.set(began + total)
        try:
            request = self._http.build_request(method, target, headers=raw, content=content)
            response = self._transport.handle_request(request)
            try:
                file = into if into and response.status_code == HTTPStatus.OK else io.BytesIO()
                cut = _read(response, self._limits.body_bytes if most is None else most, file)
            finally:
                response.close()
        except httpcore.ConnectTimeout:
            patience = min(total, self._limits.connect)
            raise TimedOut(f"{place} could not be connected to within {patience:g} s.", CONNECTION) from None
        except httpcore.TimeoutException:
            raise TimedOut(f"{place} gave no whole answer within {total:g} s.") from None
        except httpcore.LocalProtocolError:
            raise BadRequest(BAD_HEADER) from None
        except NotAllowed as error:
            raise Refused(f"{place} leads to {error}, which is no public address; networks can be allowed.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpx.HTTPError, OSError, UnicodeError) as error:
            reason, why = _reason(error)
            raise Unreachable(f"{place}: {reason}.", why) from None
        finally:
            deadline.reset(token)
        body = file.getvalue() if isinstance(file, io.BytesIO) else b""
        return Answer(response.status_code, response.headers, body, cut, time.monotonic() - began)


def checked_url(url: str, longest: int = LONGEST_URL) -> httpx.URL:
    """The URL, where it is one of http or https with a host; BadRequest."""
    wrong = "This is not an http or https address, such as https://example.com/hook."
    if len(url) > longest:
        raise BadRequest(f"An address has at most {longest} characters.")
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
    return f"{bracketed(url.host)}:{url.port or DEFAULT_PORTS[url.scheme]}"


def basic_of(url: httpx.URL) -> str:
    """The Authorization header of the user and password in a URL (RFC 7617), or empty."""
    pair = f"{url.username}:{url.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}" if url.userinfo else ""


class _Transport(httpx.BaseTransport):
    """httpx over our own connections; errors are those of httpcore."""

    def __init__(self, backend: httpcore.NetworkBackend, trust: ssl.SSLContext, connections: int) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust, network_backend=backend, keepalive_expiry=5.0, max_connections=connections
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        fresh: list[str] = []

        def watch(event: str, _facts: object) -> None:
            if event == "connection.connect_tcp.started":
                fresh.append(event)

        asked = httpcore.Request(
            request.method,
            url,
            headers=request.headers.raw,
            content=request.read(),
            extensions={**request.extensions, "trace": watch},
        )
        while True:
            try:
                answer = self._pool.handle_request(asked)
            except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
                # A kept connection that the server was just about to close: as browsers do, on a new one.
                if fresh:
                    raise
                continue
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


def _read(response: httpx.Response, limit: int, file: IO[bytes]) -> bool:
    """Put the body into a file up to so many bytes; whether there was more."""
    size = 0
    for block in response.iter_raw():
        file.write(block[: limit - size])
        size += len(block)
        if size > limit:
            return True
    return False


def _reason(error: Exception) -> tuple[str, str]:
    """Why a request failed, in a few words and as one of WHYS."""
    # httpcore hides what its errors come from, but does not take it off.
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, (socket.gaierror, UnicodeError)):
        return "the name is not known", NAME
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {cause.verify_message.rstrip('.')}", CERTIFICATE
    if isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER":
        return "TLS failed: wrong version number, as of a server that speaks http", TLS
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {(cause.reason or 'no reason given').replace('_', ' ').lower()}", TLS
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower(), CONNECTION
    if isinstance(error, httpcore.ProtocolError):
        return "the answer is not HTTP, or was cut off", PROTOCOL
    return (str(error) or "the connection broke").rstrip(".").lower(), CONNECTION


@functools.cache
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()
