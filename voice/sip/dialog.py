"""A dialog as its UAS sees it: tags, sequence numbers, route set, remote target (RFC 3261 section 12)."""

from __future__ import annotations

import ipaddress
from typing import Any

from voice.sip.errors import SipError
from voice.sip.headers import parse_name_addr
from voice.sip.message import Address, SipMessage
from voice.sip.response import SERVER, Headers, serialise
from voice.sip.uri import SipUri, bracketed, parse_uri

MAX_ROUTES = 50


class Dialog:
    """Made from an INVITE or SUBSCRIBE; SipError 400 for a Record-Route that cannot be followed.

    contact: our own address as others reach it (host, port).
    """

    def __init__(self, request: SipMessage, local_tag: str, contact: Address) -> None:
        self.call_id = request.call_id
        self.local_tag, self.remote_tag = local_tag, request.from_.tag
        self.remote_sequence = request.cseq[0]
        self.contact = contact
        self.local_sequence = 0
        self._local = f"{request.header('To')};tag={local_tag}"
        self._remote = request.header("From") or ""
        self._routes = request.header_values("Record-Route")
        self._route_uris = [parse_name_addr(route).uri for route in self._routes]
        if any(not uri.is_sip for uri in self._route_uris) or len(self._routes) > MAX_ROUTES:
            raise SipError(400, "Record-Route is no SIP URI, or has too many")
        self._source = request.source
        self._target = self._target_of(request)

    @property
    def identity(self) -> str:
        """Key of this dialog; see identity_of."""
        return f"{self.call_id};{self.local_tag}"

    def matches(self, request: SipMessage) -> bool:
        return request.from_.tag == self.remote_tag

    def accept(self, request: SipMessage) -> None:
        """Take a request's sequence number and source; SipError 500 where it is out of order (section 12.2.2)."""
        number, repeated = request.cseq[0], request.cseq[0] == self.remote_sequence
        # A number that stands twice is let pass but for INVITE, whose ACK would belong to either.
        if number < self.remote_sequence or (repeated and request.method == "INVITE"):
            raise SipError(500, "CSeq out of order", (("Retry-After", "5"),))
        self.remote_sequence = number
        self._source = request.source

    def refresh_target(self, request: SipMessage) -> None:
        """A re-INVITE or UPDATE may move the other side's Contact."""
        self._target = self._target_of(request)

    @property
    def request_uri(self) -> str:
        """The Request-URI of our requests: the remote target, or a strict router (RFC 2543) before it."""
        return self._route_uris[0].raw if self._is_strict else self._target.raw

    @property
    def target(self) -> str:
        """The other side's Contact, a URI."""
        return self._target.raw

    @property
    def _is_strict(self) -> bool:
        return bool(self._routes) and "lr" not in self._route_uris[0].params

    def build_request(
        self, method: str, branch: str, headers: Headers = (), content: bytes = b""
    ) -> tuple[bytes, Address]:
        """A request within the dialog and the address of its next hop. headers: with the Content-Type of content."""
        self.local_sequence += 1
        target, routes = self.request_uri, self._routes
        if self._is_strict:
            # A strict router gets the target as the last route.
            routes = [*self._routes[1:], f"<{self._target.raw}>"]
        host, port = self.contact
        fields = [("Via", f"SIP/2.0/UDP {bracketed(host)}:{port};branch={branch};rport"), ("Max-Forwards", "70")]
        fields += [("Route", route) for route in routes]
        fields += [
            ("From", self._local),
            ("To", self._remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.local_sequence} {method}"),
            ("User-Agent", SERVER),
            *headers,
        ]
        return serialise(f"{method} {target} SIP/2.0", fields, content), self.next_hop

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it, for a dialog that outlives the process."""
        return {
            "call_id": self.call_id,
            "local_tag": self.local_tag,
            "remote_tag": self.remote_tag,
            "remote_sequence": self.remote_sequence,
            "local_sequence": self.local_sequence,
            "local": self._local,
            "remote": self._remote,
            "routes": self._routes,
            "target": self._target.raw,
            "source": list(self._source),
            "contact": list(self.contact),
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Dialog:
        """The dialog that to_plain() has written down. SipError, KeyError where something of it is missing."""
        dialog = cls.__new__(cls)
        dialog.call_id, dialog.local_tag, dialog.remote_tag = (
            plain["call_id"],
            plain["local_tag"],
            plain["remote_tag"],
        )
        dialog.remote_sequence, dialog.local_sequence = plain["remote_sequence"], plain["local_sequence"]
        dialog._local, dialog._remote = plain["local"], plain["remote"]
        dialog._routes = plain["routes"]
        dialog._route_uris = [parse_name_addr(route).uri for route in dialog._routes]
        dialog._target = parse_uri(plain["target"])
        dialog._source = (plain["source"][0], plain["source"][1])
        dialog.contact = (plain["contact"][0], plain["contact"][1])
        return dialog

    @property
    def next_hop(self) -> Address:
        """Where our requests go: to the first route, else to the remote target.

        The last source where that is a name, hidden behind a NAT, or reached by something else than UDP: a proxy that
        brought us the request from there takes ours back as well.
        """
        hop = self._route_uris[0] if self._route_uris else self._target
        if hop.address is None or not _over_udp(hop) or _hidden(hop.address[0], self._source[0]):
            return self._source
        return hop.address

    def _target_of(self, request: SipMessage) -> SipUri:
        if request.contact:
            return request.contact.uri
        host, port = self._source
        return SipUri("sip", host=host, port=port, raw=f"sip:{bracketed(host)}:{port}")


def identity_of(request: SipMessage) -> str:
    """The key of the dialog that a request with a To tag belongs to."""
    return f"{request.call_id};{request.to.tag}"


def _over_udp(uri: SipUri) -> bool:
    return uri.scheme == "sip" and uri.params.get("transport", "udp").lower() == "udp"


def _hidden(host: str, source: str) -> bool:
    """An address that does not lead to its owner from here: a private one of who came from a public one, a group."""
    named, seen = ipaddress.ip_address(host), ipaddress.ip_address(source)
    if named.version != seen.version or named.is_unspecified or named.is_multicast or named.is_reserved:
        return True
    return (named.is_private and not seen.is_private) or (named.is_loopback and not seen.is_loopback)
