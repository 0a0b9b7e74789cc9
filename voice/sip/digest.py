"""Digest access authentication (RFC 3261 section 22, RFC 7616, RFC 8760): challenges, credentials, responses.

Pure: texts in, values out; nonce counts and client nonces come in as arguments. What a client needs is all here; what a
server needs besides is in digest_server.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from voice.sip.errors import SipError
from voice.sip.headers import TOKEN, parse_params, split_list
from voice.sip.message import SipMessage

MAX_CHALLENGES = 20
# An item of the list that begins a challenge, and not one more parameter of the challenge before it.
_SCHEME = re.compile(rf"({TOKEN.pattern})(?:[ \t]+(?!=)(.*))?", re.S)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_COUNT = re.compile(r"[0-9A-Fa-f]{8}")
SESSION = "-SESS"

Hash = Callable[[bytes], str]


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()  # what the field's old phones can do


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha512_256(data: bytes) -> str:
    return hashlib.new("sha512_256", data).hexdigest()


# Strongest first (RFC 8760 section 2.1). An OpenSSL without SHA-512/256 goes without it.
HASHES: dict[str, Hash] = {
    **({"SHA-512-256": _sha512_256} if "sha512_256" in hashlib.algorithms_available else {}),
    "SHA-256": _sha256,
    "MD5": _md5,
}


@dataclass(frozen=True)
class Credentials:
    """Who we are at a registrar or proxy. The password is in no repr."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Challenge:
    """One Digest challenge. proxy: it stood in Proxy-Authenticate; algorithm: as it came, empty where it named none.

    qop: in lower case, empty where the server knows RFC 2069 only; stale: only the nonce was too old.
    """

    realm: str
    nonce: str
    algorithm: str = ""
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False
    proxy: bool = False

    @property
    def hash_name(self) -> str:
        """Such as SHA-256: the algorithm in upper case, without `-sess`; MD5 where none is named."""
        return (self.algorithm.upper() or "MD5").removesuffix(SESSION)

    @property
    def is_session(self) -> bool:
        return self.algorithm.upper().endswith(SESSION)

    @property
    def is_supported(self) -> bool:
        return self.hash_name in HASHES and (not self.qop or "auth" in self.qop or "auth-int" in self.qop)


@dataclass(frozen=True)
class Authorization:
    """The parameters of an Authorization or Proxy-Authorization value with the scheme Digest, unquoted.

    algorithm, cnonce, qop: empty where absent; nonce_count: None where absent.
    """

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = ""
    cnonce: str = ""
    qop: str = ""
    nonce_count: int | None = None


def challenges_of(response: SipMessage) -> list[Challenge]:
    """All Digest challenges of a 401 or 407, in order; what cannot be read is left out."""
    found = parse_challenges(response.raw_values("WWW-Authenticate"))
    return found + parse_challenges(response.raw_values("Proxy-Authenticate"), proxy=True)


def parse_challenges(values: Iterable[str], *, proxy: bool = False) -> list[Challenge]:
    """The Digest challenges of header lines, which may hold one or, joined by commas, several (RFC 7235 section 4.1).

    Other schemes and challenges without realm or nonce are left out; unknown parameters are passed over.
    """
    groups = [group for value in values for group in _schemes(value)]
    found = (_challenge(items, proxy) for scheme, items in groups[:MAX_CHALLENGES] if scheme == "digest")
    return [challenge for challenge in found if challenge is not None]


def strongest(challenges: Iterable[Challenge]) -> Challenge | None:
    """The challenge with the strongest hash that we can answer, of equal ones the first; None where there is none."""
    order = list(HASHES)
    return min(
        (challenge for challenge in challenges if challenge.is_supported),
        key=lambda challenge: order.index(challenge.hash_name),
        default=None,
    )


def authorization_header(
    challenge: Challenge,
    credentials: Credentials,
    method: str,
    uri: str,
    *,
    nonce_count: int,
    cnonce: str,
    body: bytes = b"",
) -> tuple[str, str]:
    """Name and value of the header that answers a challenge.

    uri: the Request-URI as it is sent; nonce_count: 1 for the first request with this nonce, one more for each that
    follows; cnonce: of our own making, the same for as long as the nonce is (the -sess algorithms need that).
    SipError 401 where the challenge asks for what we cannot do.
    """
    if not challenge.is_supported:
        raise SipError(401, "a challenge that cannot be answered")
    qop = "" if not challenge.qop else "auth" if "auth" in challenge.qop else "auth-int"
    answer = Authorization(
        username=credentials.username,
        realm=challenge.realm,
        nonce=challenge.nonce,
        uri=uri,
        response="",
        algorithm=challenge.algorithm,
        cnonce=cnonce if qop or challenge.is_session else "",
        qop=qop,
        nonce_count=nonce_count if qop else None,
    )
    response = response_to(answer, credentials.password, method, body)
    name = "Proxy-Authorization" if challenge.proxy else "Authorization"
    return name, _write(answer, response, challenge.opaque)


def parse_authorization(value: str) -> Authorization | None:
    """An Authorization or Proxy-Authorization value; None for another scheme. SipError 400 where it cannot be read."""
    scheme, *rest = value.split(None, 1) or [""]
    if scheme.lower() != "digest":
        return None
    params = parse_params(";".join(split_list("".join(rest))))
    count = params.get("nc")
    if not all(params.get(name) for name in ("nonce", "uri", "response")) or _CONTROL.search("".join(params.values())):
        raise SipError(400, "malformed credentials")
    if count is not None and not _COUNT.fullmatch(count):
        raise SipError(400, "malformed nonce count")
    qop = params.get("qop", "").lower()
    if qop and (count is None or not params.get("cnonce")):
        raise SipError(400, "qop without a nonce count or a cnonce")
    return Authorization(
        username=params.get("username", ""),
        realm=params.get("realm", ""),
        nonce=params["nonce"],
        uri=params["uri"],
        response=params["response"],
        algorithm=params.get("algorithm", ""),
        cnonce=params.get("cnonce", ""),
        qop=qop,
        nonce_count=None if count is None else int(count, 16),
    )


def response_to(answer: Authorization, password: str, method: str, body: bytes = b"") -> str:
    """The request-digest in lower-case hex (RFC 7616 section 3.4.1; without qop RFC 2069).

    KeyError for an unknown algorithm.
    """
    name = answer.algorithm.upper() or "MD5"
    digest = HASHES[name.removesuffix(SESSION)]
    secret = digest(_joined(answer.username, answer.realm, password))
    if name.endswith(SESSION):
        secret = digest(_joined(secret, answer.nonce, answer.cnonce))
    what = [method, answer.uri] + ([digest(body)] if answer.qop == "auth-int" else [])
    middle = [f"{answer.nonce_count or 0:08x}", answer.cnonce, answer.qop] if answer.qop else []
    return digest(_joined(secret, answer.nonce, *middle, digest(_joined(*what))))


def quoted(text: str) -> str:
    """A quoted-string."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _joined(*parts: str) -> bytes:
    return ":".join(parts).encode("utf-8", "surrogateescape")


def _schemes(value: str) -> list[tuple[str, list[str]]]:
    """Scheme (lower case) and parameters of each challenge of a header line."""
    found: list[tuple[str, list[str]]] = []
    for item in split_list(value):
        begins = _SCHEME.fullmatch(item)
        if begins:
            found.append((begins[1].lower(), [begins[2]] if begins[2] else []))
        elif found:
            found[-1][1].append(item)
    return found


def _challenge(items: list[str], proxy: bool) -> Challenge | None:
    params = parse_params(";".join(items))
    if "realm" not in params or not params.get("nonce") or _CONTROL.search("".join(params.values())):
        return None
    algorithm = params.get("algorithm", "")
    if algorithm and not TOKEN.fullmatch(algorithm):
        return None
    return Challenge(
        realm=params["realm"],
        nonce=params["nonce"],
        algorithm=algorithm,
        qop=tuple(item.lower() for item in split_list(params.get("qop", ""))),
        opaque=params.get("opaque"),
        stale=params.get("stale", "").lower() == "true",
        proxy=proxy,
    )


def _write(answer: Authorization, response: str, opaque: str | None) -> str:
    """The value. algorithm, qop and nc stand without quotes (RFC 7616 section 3.4)."""
    parts = [
        f"username={quoted(answer.username)}",
        f"realm={quoted(answer.realm)}",
        f"nonce={quoted(answer.nonce)}",
        f"uri={quoted(answer.uri)}",
        f'response="{response}"',
    ]
    if answer.algorithm:
        parts.append(f"algorithm={answer.algorithm}")
    if answer.cnonce:
        parts.append(f"cnonce={quoted(answer.cnonce)}")
    if opaque is not None:
        parts.append(f"opaque={quoted(opaque)}")
    if answer.qop:
        parts += [f"qop={answer.qop}", f"nc={answer.nonce_count or 0:08x}"]
    return "Digest " + ", ".join(parts)
