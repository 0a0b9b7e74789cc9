"""A registrar that is one UDP socket: it takes what comes and answers what a test says."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress

from tests.sip.peer import Peer
from voice.sip import SipError, SipMessage
from voice.sip.headers import parse_params, split_list

REALM = "pbx.example"
HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


class Registrar(Peer):
    """Waits for REGISTER; `seen` are those that came, without repeats."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0))
        self.seen: list[SipMessage] = []
        self._nonces = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def register(self) -> SipMessage:
        """The next REGISTER that is no repeat of the one before."""
        known = {message.vias[0].branch for message in self.seen}
        message = self.receive(
            lambda heard: heard.method == "REGISTER" and heard.vias[0].branch not in known, "REGISTER from the phone"
        )
        self.seen.append(message)
        self.server = message.source
        return message

    def rest(self) -> list[SipMessage]:
        """What has come and was not looked at."""
        found = []
        self._socket.settimeout(0)
        while True:
            try:
                data, source = self._socket.recvfrom(65535)
            except OSError:
                return found
            found.append(SipMessage(data, source))

    def say_yes(self, until: threading.Event) -> None:
        """Answer whatever comes with 200."""
        while not until.is_set() and self._socket.fileno() >= 0:
            self._socket.settimeout(0.05)
            with suppress(OSError, SipError):
                data, source = self._socket.recvfrom(65535)
                self.server = source
                self.accept(SipMessage(data, source))

    def answer(self, request: SipMessage, status: str, *headers: str) -> None:
        """Answer a request of the phone."""
        self.send(answer_to(request, status, *headers))

    def accept(self, request: SipMessage, seconds: int = 3600) -> None:
        """200 with the phone's Contact, bound for so long."""
        uri = (request.header("Contact") or "").partition(";expires")[0]
        self.answer(request, "200 OK", f"Contact: {uri};expires={seconds}")

    def challenge(
        self,
        request: SipMessage,
        algorithm: str = "MD5",
        qop: str = "auth",
        *,
        status: str = "401 Unauthorized",
        stale: bool = False,
    ) -> str:
        """401 or 407 with a new nonce; the nonce."""
        self._nonces += 1
        nonce = f"nonce-{self._nonces}"
        name = "WWW-Authenticate" if status.startswith("401") else "Proxy-Authenticate"
        line = f'{name}: Digest realm="{REALM}", nonce="{nonce}", algorithm={algorithm}'
        line += f', qop="{qop}"' if qop else ""
        line += ", stale=true" if stale else ""
        self.answer(request, status, line)
        return nonce


def answer_to(request: SipMessage, status: str, *headers: str) -> bytes:
    """A response to a request, as bytes."""
    lines = [
        f"{name}: {value}" for name in ("Via", "From", "To", "Call-ID", "CSeq") for value in request.raw_values(name)
    ]
    return "\r\n".join([f"SIP/2.0 {status}", *lines, *headers, "Content-Length: 0", "", ""]).encode()


def credentials(request: SipMessage, header: str = "Authorization") -> dict[str, str]:
    """The parameters of a digest; empty where there is none."""
    scheme, _, rest = (request.header(header) or "").partition(" ")
    return parse_params(";".join(split_list(rest))) if scheme == "Digest" else {}


def is_right(request: SipMessage, username: str, password: str, nonce: str, header: str = "Authorization") -> bool:
    """Whether a digest is what RFC 2617 and RFC 7616 say, worked out here anew."""
    given = credentials(request, header)
    digest = HASHES[given.get("algorithm", "MD5")]

    def hashed(*parts: str) -> str:
        return digest(":".join(parts).encode()).hexdigest()

    secret = hashed(username, REALM, password)
    what = hashed(request.method, request.uri.raw)
    middle = [given["nc"], given["cnonce"], given["qop"]] if "qop" in given else []
    usual = (given.get("username"), given.get("realm"), given.get("nonce"), given.get("uri"))
    wanted = hashed(secret, nonce, *middle, what)
    return usual == (username, REALM, nonce, request.uri.raw) and given.get("response") == wanted
