"""The server's side of Digest: nonces without memory, challenges, verification (RFC 3261 section 22, RFC 8760).

Pure but for the nonce counts that were used: time, salt and key come in as arguments.
"""

from __future__ import annotations

import base64
import binascii
import enum
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from voice.sip.digest import Authorization, parse_authorization, quoted, response_to
from voice.sip.message import SipMessage

LIFETIME_SECONDS = 300.0
SALT_BYTES = 6
_TIME_BYTES = 6
_MAC_BYTES = 12
MAX_NONCES = 10_000
MAX_CREDENTIALS = 5
# Strongest first (RFC 8760 section 2.3). SHA-512-256 would stand on top, where old phones that read the first header
# alone would stumble over it.
OFFERED = ("SHA-256", "MD5")


class Nonces:
    """Nonces that carry their time, a salt and a keyed hash over both and the peer's address: none is remembered.

    Remembered is the highest count of a nonce that was used with right credentials, for at most `limit` nonces: where
    one must be forgotten, all that are older count as expired, so that none can be used again.
    """

    def __init__(self, key: bytes, lifetime: float = LIFETIME_SECONDS, limit: int = MAX_NONCES) -> None:
        self._key, self._lifetime, self._limit = key, lifetime, limit
        self._used: OrderedDict[str, int] = OrderedDict()
        self._forgotten = -1

    def make(self, now: float, salt: bytes, peer: str) -> str:
        """A nonce for the peer's IP address. now: seconds of any clock that does not go back; salt: SALT_BYTES."""
        head = int(now * 1000).to_bytes(_TIME_BYTES, "big") + salt[:SALT_BYTES].ljust(SALT_BYTES, b"\0")
        return base64.urlsafe_b64encode(head + self._mac(head, peer)).decode()

    def use(self, nonce: str, count: int | None, now: float, peer: str) -> bool:
        """Whether a nonce is ours, for this peer, not expired and used with this count for the first time.

        count: None without qop; such a nonce serves once. To be asked only after the credentials have proved right.
        """
        made = self._time_of(nonce, peer)
        if made is None or made <= self._forgotten or not 0 <= now * 1000 - made <= self._lifetime * 1000:
            return False
        last = self._used.get(nonce, -1)
        if (count is None and last >= 0) or (count is not None and count <= last):
            return False
        self._used[nonce] = count if count is not None else 2**32
        self._forget(now)
        return True

    def _time_of(self, nonce: str, peer: str) -> int | None:
        """When a nonce was made, ms; None where it is not ours."""
        try:
            data = base64.b64decode(nonce.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            return None
        head, mac = data[: _TIME_BYTES + SALT_BYTES], data[_TIME_BYTES + SALT_BYTES :]
        if not hmac.compare_digest(mac, self._mac(head, peer)):
            return None
        return int.from_bytes(head[:_TIME_BYTES], "big")

    def _mac(self, head: bytes, peer: str) -> bytes:
        return hashlib.blake2s(head + peer.encode(), key=self._key, digest_size=_MAC_BYTES).digest()

    def _forget(self, now: float) -> None:
        """Drop what has expired, and the oldest where there are too many."""
        while self._used:
            made = int.from_bytes(base64.urlsafe_b64decode(next(iter(self._used)))[:_TIME_BYTES], "big")
            if len(self._used) > self._limit:
                self._forgotten = max(self._forgotten, made)
            elif now * 1000 - made <= self._lifetime * 1000:
                return
            self._used.popitem(last=False)


class Verdict(enum.Enum):
    """MISSING: no credentials for our realm; WRONG: name, password or algorithm; STALE: right, but with a nonce that is
    old, used or not ours (RFC 7616 section 3.3); RIGHT."""

    MISSING = "missing"
    WRONG = "wrong"
    STALE = "stale"
    RIGHT = "right"


@dataclass(frozen=True)
class Checked:
    """username: as the request gives it, empty where it gives none; proved only where the verdict is RIGHT."""

    verdict: Verdict
    username: str = ""


class Authenticator:
    """Challenges and verifies for one realm. accounts: user name to password; key: up to 32 bytes, secret."""

    def __init__(
        self, realm: str, accounts: Mapping[str, str], key: bytes, *, lifetime: float = LIFETIME_SECONDS
    ) -> None:
        self._realm, self._accounts = realm, dict(accounts)
        self._nonces = Nonces(key, lifetime)
        # Nobody's password; compared with where the name is unknown, so that both take the same time.
        self._nobody = hashlib.blake2s(b"nobody", key=key).hexdigest()

    def challenges(self, now: float, salt: bytes, peer: str, *, stale: bool = False) -> tuple[tuple[str, str], ...]:
        """WWW-Authenticate headers, one for each algorithm, the strongest first (RFC 8760 section 2.3)."""
        nonce = self._nonces.make(now, salt, peer)
        tail = ", stale=true" if stale else ""
        return tuple(
            (
                "WWW-Authenticate",
                f'Digest realm={quoted(self._realm)}, nonce="{nonce}", algorithm={algorithm}, qop="auth"{tail}',
            )
            for algorithm in OFFERED
        )

    def check(self, request: SipMessage, now: float) -> Checked:
        """Whether a request carries the right credentials. SipError 400 where they cannot be read.

        Its digest-uri is not compared with the Request-URI: proxies may rewrite that one (RFC 3261 section 22.4).
        """
        for value in request.raw_values("Authorization")[:MAX_CREDENTIALS]:
            answer = parse_authorization(value)
            if answer is not None and answer.realm == self._realm:
                return Checked(self._judge(answer, request, now), answer.username)
        return Checked(Verdict.MISSING)

    def _judge(self, answer: Authorization, request: SipMessage, now: float) -> Verdict:
        if (answer.algorithm.upper() or "MD5") not in OFFERED or answer.qop not in ("", "auth"):
            return Verdict.WRONG
        password = self._accounts.get(answer.username)
        expected = response_to(answer, self._nobody if password is None else password, request.method)
        given = answer.response.lower().encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(expected.encode(), given) or password is None:
            return Verdict.WRONG
        fresh = self._nonces.use(answer.nonce, answer.nonce_count if answer.qop else None, now, request.source[0])
        return Verdict.RIGHT if fresh else Verdict.STALE
