"""Our answers to 401 and 407: which challenges stand, how often each nonce was used, and when to give up."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from voice.sip.digest import Challenge, Credentials, authorization_header, challenges_of, strongest
from voice.sip.message import SipMessage

# A registrar and proxies before it may each ask once, and once more with a fresh nonce.
MAX_ROUNDS = 5
MAX_REALMS = 5


class CannotAuthenticate(Exception):
    """A challenge that must not be answered (again); str() says why, for people."""


@dataclass
class _Standing:
    """A challenge that is answered with every request until a newer one comes."""

    challenge: Challenge
    cnonce: str
    uses: int = 0
    round: int = 0


class Authenticator:
    """Answers the challenges of one registration or dialog. Not thread-safe.

    begin() with every new request, headers() for what it carries, take() with each 401 or 407 to it.
    """

    def __init__(self, credentials: Credentials, token: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        self._credentials, self._token = credentials, token
        self._standing: dict[tuple[bool, str], _Standing] = {}
        self._round = 0

    def begin(self) -> None:
        """A new request: what it carries may answer an old nonce, so that a first refusal says nothing."""
        self._round = 0
        for standing in self._standing.values():
            standing.round = 0

    def headers(self, method: str, uri: str, body: bytes = b"") -> list[tuple[str, str]]:
        """Authorization and Proxy-Authorization for a request to this Request-URI, one a realm."""
        found = []
        for standing in self._standing.values():
            standing.uses += 1
            found.append(
                authorization_header(
                    standing.challenge,
                    self._credentials,
                    method,
                    uri,
                    nonce_count=standing.uses,
                    cnonce=standing.cnonce,
                    body=body,
                )
            )
        return found

    def take(self, response: SipMessage, *, may_ask: bool = True) -> None:
        """Remember the challenges of a 401 or 407; the request may then be sent again with new headers().

        may_ask: whether who got the request may ask for our password (see Challengers). CannotAuthenticate where he may
        not, where there is no password, nothing that we can answer, or where the answer was wrong.
        """
        self._round += 1
        if not may_ask:
            raise CannotAuthenticate("it asks for our password, which is another one's")
        if not self._credentials.password:
            raise CannotAuthenticate("it asks for a password, and none is set")
        challenges = [challenge for challenge in challenges_of(response) if challenge.proxy == (response.code == 407)]
        if not challenges:
            raise CannotAuthenticate(f"{response.code} without a digest challenge")
        for realm in dict.fromkeys(challenge.realm for challenge in challenges):
            chosen = strongest(challenge for challenge in challenges if challenge.realm == realm)
            if chosen is None:
                raise CannotAuthenticate("it asks for a digest algorithm that we do not know")
            self._stand(chosen)

    def _stand(self, challenge: Challenge) -> None:
        key = (challenge.proxy, challenge.realm)
        before = self._standing.get(key)
        # An answer to a nonce of this very request was refused: it was the password, unless that nonce is too old.
        if self._round > MAX_ROUNDS or (before is not None and before.round and not challenge.stale):
            raise CannotAuthenticate("wrong user name or password")
        if before is None and len(self._standing) >= MAX_REALMS:
            raise CannotAuthenticate("it asks for too many realms")
        self._standing[key] = _Standing(challenge, self._token(), round=self._round)
