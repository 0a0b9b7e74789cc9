"""Cookies of calls: kept as long as the call, by the rules of browsers (the standard library's http.cookiejar)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from http.cookiejar import CookieJar

import httpx

# A call's cookies go when it has ended; these limits are for whoever never ends, and for servers that set thousands.
MOST_CALLS = 2000
MOST_COOKIES = 50
MOST_CHARACTERS = 4096


class Cookies:
    """The jars of all calls. Safe from any thread."""

    def __init__(self) -> None:
        self._jars: OrderedDict[str, Jar] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, call_sid: str) -> Jar:
        """The call's jar, an empty one at its first request."""
        with self._lock:
            jar = self._jars.setdefault(call_sid, Jar())
            self._jars.move_to_end(call_sid)
            while len(self._jars) > MOST_CALLS:
                self._jars.popitem(last=False)
        return jar

    def drop(self, call_sid: str) -> None:
        """The call has ended."""
        with self._lock:
            self._jars.pop(call_sid, None)


class Jar:
    """One call's cookies. Safe from any thread: callbacks go beside the call."""

    def __init__(self) -> None:
        self._jar = CookieJar()
        self._lock = threading.Lock()

    def header(self, url: str) -> list[tuple[str, str]]:
        """The Cookie header of a request to this URL, if it has any."""
        request = httpx.Request("GET", url)
        with self._lock:
            httpx.Cookies(self._jar).set_cookie_header(request)
        cookie = request.headers.get("Cookie")
        return [("Cookie", cookie)] if cookie else []

    def take(self, url: str, headers: httpx.Headers) -> None:
        """Keep what an answer to this URL sets."""
        response = httpx.Response(200, headers=headers, request=httpx.Request("GET", url))
        with self._lock:
            httpx.Cookies(self._jar).extract_cookies(response)
            short = [each for each in self._jar if len(each.name) + len(each.value or "") <= MOST_CHARACTERS]
            for cookie in set(self._jar) - set(short[:MOST_COOKIES]):
                self._jar.clear(cookie.domain, cookie.path, cookie.name)
