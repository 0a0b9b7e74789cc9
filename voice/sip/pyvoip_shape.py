"""pyVoIP's view of a message: the dicts that its own classes read (headers, body, authentication)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voice.sip.address import version_of
from voice.sip.headers import NameAddr, Via, parse_params, split_list
from voice.sip.uri import bracketed

if TYPE_CHECKING:
    from voice.sip.message import SipMessage
    from voice.sip.sdp import Agreed

_SPELLING = {
    "call-id": "Call-ID",
    "cseq": "CSeq",
    "www-authenticate": "WWW-Authenticate",
    "mime-version": "MIME-Version",
}
_DIGEST = ("www-authenticate", "proxy-authenticate", "authorization", "proxy-authorization")
_LISTS = ("allow", "supported")


def fill_headers(message: SipMessage) -> None:
    """Set message.headers and message.authentication as pyVoIP's own parser would."""
    headers: dict[str, Any] = {"Via": [_via(via) for via in message.vias]}
    for name, value in message.fields:
        key = _SPELLING.get(name) or "-".join(word.capitalize() for word in name.split("-"))
        if name == "via" or key in headers:
            continue
        if name in _DIGEST:
            headers[key] = message.authentication = _digest(value)
        elif name in _LISTS:
            headers[key] = [item for line in message.raw_values(name) for item in split_list(line)]
        else:
            headers[key] = value
    headers["From"] = _person(message.from_, headers["From"])
    headers["To"] = _person(message.to, headers["To"])
    headers["CSeq"] = {"check": str(message.cseq[0]), "method": message.cseq[1]}
    headers["Content-Length"] = len(message.content)
    message.headers = headers


def offer_body(agreed: Agreed) -> dict[str, Any]:
    """The offer as VoIPCall.__init__ reads it: one address, one stream with what was agreed on."""
    attributes: dict[str, Any] = {}
    methods = [str(agreed.law.payload_type)]
    if agreed.event_payload_type is not None:
        methods.append(str(agreed.event_payload_type))
        attributes[methods[1]] = {
            "rtpmap": {"id": methods[1], "name": "telephone-event", "frequency": "8000", "encoding": None}
        }
    media = {
        "type": "audio",
        "port": agreed.port,
        "port_count": 1,
        "protocol": agreed.protocol,
        "methods": methods,
        "attributes": attributes,
    }
    kind = f"IP{version_of(agreed.host)}"
    connection = {"network_type": "IN", "address_type": kind, "address": agreed.host, "ttl": None, "address_count": 1}
    return {"c": [connection], "m": [media]}


def _via(via: Via) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "type": f"SIP/2.0/{via.transport}",
        "address": (bracketed(via.host), str(via.port or 5060)),
    }
    shape.update({name.lower(): value for name, value in via.params})
    return shape


def _person(address: NameAddr, raw: str) -> dict[str, Any]:
    uri = address.uri
    return {
        "raw": raw.partition(";tag=")[0],
        "tag": address.tag,
        "address": f"{uri.user}@{uri.host}" if uri.user else uri.host,
        "number": uri.user or None,
        "caller": address.display,
        "host": uri.host,
    }


def _digest(value: str) -> dict[str, str]:
    scheme, _, rest = value.partition(" ")
    return parse_params(";".join(split_list(rest))) if scheme.lower() == "digest" else {}
