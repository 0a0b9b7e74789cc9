"""The requests of a caller as bytes (RFC 3261 sections 8.1, 9.1, 12.2.1, 13.2 and 17.1.1.3). Pure."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from voice.sip.message import Address, SipMessage
from voice.sip.response import Headers, serialise
from voice.sip.uri import bracketed

# Written so by RFC 3261 section 8.1.1.7.
MAGIC_COOKIE = "z9hG4bK"
AGENT = "Voicemail-Pro test call"
CONTENT = ("Content-Type", "application/sdp")


def new_branch() -> str:
    """A branch that no other transaction has."""
    return MAGIC_COOKIE + secrets.token_hex(12)


@dataclass
class Requests:
    """Everything that one call asks of its other side. No route set: the other side is dialled directly.

    remote, local: addresses of the two SIP sockets; uri: the Request-URI; number, name: the caller's.
    """

    remote: Address
    local: Address
    uri: str
    number: str
    name: str
    call_id: str = field(default_factory=lambda: secrets.token_hex(16))
    tag: str = field(default_factory=lambda: secrets.token_hex(8))
    invite_branch: str = field(default_factory=new_branch)
    sequence: int = 1

    @property
    def origin(self) -> str:
        """The value of From."""
        name = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}" <sip:{self.number}@{_at(self.local)}>;tag={self.tag}'

    def invite(self, content: bytes, headers: Headers = ()) -> bytes:
        """The INVITE with an offer."""
        more = [("Contact", f"<sip:{self.number}@{_at(self.local)}>"), *headers, CONTENT]
        return self._request("INVITE", self.uri, f"<{self.uri}>", self.invite_branch, more, content)

    def cancel(self) -> bytes:
        """CANCEL of the INVITE: same branch, same sequence number."""
        return self._request("CANCEL", self.uri, f"<{self.uri}>", self.invite_branch)

    def ack(self, response: SipMessage) -> bytes:
        """ACK of a final response: a transaction of its own after a 2xx, part of the INVITE's after others."""
        to = response.header("To") or f"<{self.uri}>"
        if response.code < 300:
            return self._request("ACK", _target(response, self.uri), to, new_branch())
        return self._request("ACK", self.uri, to, self.invite_branch)

    def bye(self, response: SipMessage) -> bytes:
        """BYE in the dialog that this 2xx made."""
        self.sequence += 1
        to = response.header("To") or f"<{self.uri}>"
        return self._request("BYE", _target(response, self.uri), to, new_branch())

    def _request(
        self, method: str, uri: str, to: str, branch: str, headers: Headers = (), content: bytes = b""
    ) -> bytes:
        sequence = 1 if method in ("ACK", "CANCEL") else self.sequence
        fields = [
            ("Via", f"SIP/2.0/UDP {_at(self.local)};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", self.origin),
            ("To", to),
            ("Call-ID", self.call_id),
            ("CSeq", f"{sequence} {method}"),
            ("User-Agent", AGENT),
            *headers,
        ]
        return serialise(f"{method} {uri} SIP/2.0", fields, content)


def _at(address: Address) -> str:
    return f"{bracketed(address[0])}:{address[1]}"


def _target(response: SipMessage, otherwise: str) -> str:
    return response.contact.uri.raw if response.contact else otherwise
