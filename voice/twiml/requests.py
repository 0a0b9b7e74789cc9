"""Requests of programmed calls: signed, with the call's cookies, redirects followed, every hop checked anew.

What Twilio's servers do is told at https://www.twilio.com/docs/voice/twiml and .../usage/security.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import IO
from urllib.parse import urlencode

from app import net
from app.account import account_of
from app.config import Settings, SettingsError
from voice.twiml import codes
from voice.twiml.cookies import Jar
from voice.twiml.errands import ErrandFailed, Exchange
from voice.twiml.signature import signatures
from voice.twiml.urls import (
    LONGEST_URL,
    Target,
    host_header,
    joined,
    names_in,
    shown,
    shown_parameters,
    target_of,
    with_query,
    without,
)

CONNECT_SECONDS = 5.0
DOCUMENT_BYTES = 65536
SHOWN_CHARACTERS, SHOWN_OF_REDIRECTS = 16_000, 500
MOST_REDIRECTS = 10
# As many as the courier has errands and callbacks under way.
MOST_CONNECTIONS = 400
REDIRECTS = frozenset((301, 302, 303, 307, 308))
# These keep their method; with the others a browser goes on with GET (RFC 9110 section 15.4).
KEEPING = frozenset((307, 308))
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
PHRASES: dict[int, str] = {status.value: status.phrase for status in HTTPStatus}
_CHARSET = re.compile(r"""(?i);\s*charset=["']?([^\s"';]{1,40})""")
CODES = {
    net.NAME: codes.BAD_HOST,
    net.CONNECTION: codes.HTTP_CONNECTION,
    net.TLS: codes.TLS,
    net.CERTIFICATE: codes.TLS,
    net.PROTOCOL: codes.HTTP_PROTOCOL,
}


@dataclass(frozen=True)
class Wish:
    """What is to be fetched. parameters: of a POST its form, of a GET joined to the query.

    headers: beside ours. good: statuses that are no failure beside 2xx. most: bytes of the body, the rest is cut.
    into: a file that takes the body of a 200.
    """

    url: str
    method: str = "GET"
    parameters: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    good: Collection[int] = ()
    most: int = DOCUMENT_BYTES
    into: IO[bytes] | None = None


@dataclass(frozen=True)
class Reply:
    """An answer, and the URL that it came from in the end: with the user and password that led to it, without the
    parameters of the wish. asked: the same with them."""

    answer: net.Answer
    url: str
    asked: str
    exchanges: tuple[Exchange, ...]

    @property
    def content_type(self) -> str:
        """Such as text/xml, in small letters; empty where nothing is said."""
        return str(self.answer.headers.get("Content-Type", "")).partition(";")[0].strip().lower()

    @property
    def charset(self) -> str:
        """The encoding that the content type tells, or empty."""
        found = _CHARSET.search(self.answer.headers.get("Content-Type", ""))
        return found[1] if found else ""


class Requests:
    """Sends requests over kept connections. Safe from any thread."""

    def __init__(self, settings: Settings, client: net.Client | None = None) -> None:
        """client: in place of one by the settings, whose deadline counts."""
        self._settings, self._seconds = settings, settings.programmable.timeout
        self._client = client or client_of(settings)

    def close(self) -> None:
        """End all connections."""
        self._client.close()

    def fetch(self, wish: Wish, jar: Jar | None = None) -> Reply:
        """The answer at the end of all redirects, where it is a good one; ErrandFailed, with all exchanges."""
        return _Journey(self._client, self._token(), self._seconds, jar or Jar()).run(wish)

    def _token(self) -> str:
        try:
            # It is read anew: another may have been made.
            return account_of(self._settings).token
        except SettingsError as error:
            raise ErrandFailed(codes.INTERNAL, f"Requests cannot be signed: {error}.") from None


def client_of(settings: Settings) -> net.Client:
    """A client for as many requests at a time as calls may have."""
    total = settings.programmable.timeout
    limits = net.Limits(
        connect=min(CONNECT_SECONDS, total),
        read=total,
        total=total,
        body_bytes=DOCUMENT_BYTES,
        url_characters=LONGEST_URL,
        connections=MOST_CONNECTIONS,
    )
    return net.Client(allowed=settings.programmable.allowed_networks, limits=limits)


class _Journey:
    """One wish and the redirects on its way; there is one deadline for all of it."""

    def __init__(self, client: net.Client, token: str, seconds: float, jar: Jar) -> None:
        self._client, self._token, self._jar = client, token, jar
        self._seconds, self._ends = seconds, time.monotonic() + seconds
        self._exchanges: list[Exchange] = []
        # How many characters of parameters were put behind the URL that is asked.
        self._added = 0

    def run(self, wish: Wish) -> Reply:
        url, before = wish.url, None
        for _ in range(MOST_REDIRECTS + 1):
            target = self._target(url, wish, before)
            answer = self._ask(target, wish)
            self._jar.take(target.url, answer.headers)
            if answer.status not in REDIRECTS:
                return self._judge(answer, target, wish)
            location = answer.headers.get("Location", "")
            if not location:
                raise self._failed(codes.INVALID_REDIRECT, f"{target.place} redirects without saying where to.")
            url, before = location, target
            if answer.status not in KEEPING:
                wish = replace(wish, method="GET")
        raise self._failed(codes.TOO_MANY_REDIRECTS, f"There were more than {MOST_REDIRECTS} redirects in a row.")

    def _target(self, url: str, wish: Wish, before: Target | None) -> Target:
        """Where the next request goes. A redirect within a server keeps user and password, as browsers do."""
        try:
            target, self._added = target_of(joined(before.base, url) if before else url), 0
            if wish.method == "GET":
                told = names_in(target.url) if before else ()
                more = [pair for pair in wish.parameters if pair[0] not in told]
                asked = target_of(with_query(target.base, more))
                self._added, target = len(asked.base) - len(target.base), asked
        except net.BadRequest as error:
            if before is None:
                raise self._failed(codes.INVALID_URL, str(error), url) from None
            text = f"{before.place} redirects to something that cannot be fetched: {error}"
            raise self._failed(codes.INVALID_REDIRECT, text) from None
        if before and before.origin == target.origin and not target.authorization:
            return replace(
                target,
                authorization=before.authorization,
                base=target.base.replace("://", f"://{_userinfo(before)}", 1),
            )
        return target

    def _ask(self, target: Target, wish: Wish) -> net.Answer:
        form = wish.parameters if wish.method == "POST" else ()
        body = urlencode(form, errors="replace").encode() if form else b""
        headers = [
            *wish.headers,
            ("Host", host_header(target)),
            ("User-Agent", net.USER_AGENT),
            *signatures(self._token, target.url, form, body, int(time.time())),
            *self._jar.header(target.url),
        ]
        if target.authorization:
            headers.append(("Authorization", target.authorization))
        if wish.method == "POST":
            headers.append(("Content-Type", FORM))
        began, exchange = time.monotonic(), _begun(wish.method, target.url, form)
        try:
            left = max(0.001, self._ends - began)
            answer = self._client.request(
                wish.method, target.url, headers=headers, content=body, total=left, most=wish.most, into=wish.into
            )
        except net.NetError as error:
            text = self._said(error, target)
            self._exchanges.append(replace(exchange, seconds=time.monotonic() - began, error=text))
            raise self._failed(_code_of(error), text) from None
        self._exchanges.append(_ended(exchange, answer))
        return answer

    def _said(self, error: net.NetError, target: Target) -> str:
        if isinstance(error, net.TimedOut) and not error.why:
            # The deadline is that of all requests on the way.
            return f"{target.place} gave no whole answer within {self._seconds:g} s."
        return f"After a redirect: {error}" if self._exchanges else str(error)

    def _judge(self, answer: net.Answer, target: Target, wish: Wish) -> Reply:
        if answer.status in wish.good or 200 <= answer.status < 300:
            return Reply(answer, self._own(target, wish), target.base, tuple(self._exchanges))
        phrase = PHRASES.get(answer.status, "")
        text = f"{target.place} answered {answer.status} {phrase}".rstrip() + "."
        if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
            text += f" It was asked by {wish.method}."
        raise self._failed(codes.HTTP_STATUS, text)

    def _own(self, target: Target, wish: Wish) -> str:
        """Without our parameters: a document that names itself must not get them twice."""
        own = target.base[: len(target.base) - self._added]
        if len(self._exchanges) == 1:
            return own
        # A redirect may have passed them on, so that they are there without us.
        return without(own, wish.parameters, target_of(wish.url).url)

    def _failed(self, code: int, text: str, url: str = "") -> ErrandFailed:
        asked = self._exchanges[0].url if self._exchanges else shown(url)
        return ErrandFailed(code, text, asked, tuple(self._exchanges))


def _userinfo(target: Target) -> str:
    """User and password of a target with an @, or nothing."""
    netloc = target.base.partition("://")[2].partition("/")[0]
    return netloc[: netloc.rfind("@") + 1]


def _code_of(error: net.NetError) -> int:
    if isinstance(error, net.BadRequest):
        return codes.INVALID_URL
    if isinstance(error, net.Refused):
        return codes.BAD_HOST
    if isinstance(error, net.TimedOut) and not error.why:
        return codes.HTTP_TIMEOUT
    return CODES.get(error.why, codes.HTTP_FAILURE)


def _begun(method: str, url: str, form: tuple[tuple[str, str], ...]) -> Exchange:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Exchange(method, shown(url), shown_parameters(form), at, 0.0)


def _ended(exchange: Exchange, answer: net.Answer) -> Exchange:
    kind = answer.headers.get("Content-Type", "")
    most = SHOWN_OF_REDIRECTS if answer.status in REDIRECTS else SHOWN_CHARACTERS
    return replace(
        exchange,
        seconds=answer.seconds,
        status=answer.status,
        content_type=_text(kind.encode(errors="replace"), 200),
        body="" if kind.lower().startswith(("audio/", "image/", "video/")) else _text(answer.body, most),
    )


def _text(body: bytes, most: int) -> str:
    """The beginning of what came, as text that every database takes."""
    return body[: 4 * most].decode(errors="replace")[:most].replace("\0", "\ufffd")
