"""Responses as bytes (RFC 3261 section 8.2.6, RFC 3581). Pure: a request in, bytes and an address out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from voice.sip.errors import SipError, reason_of
from voice.sip.headers import MAX_FIELDS, canonical_name, parse_via, split_list
from voice.sip.message import MAX_VIAS, Address, SipMessage
from voice.sip.uri import same_host

ALLOWED = ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "SUBSCRIBE", "NOTIFY")
# Taken and declined: neither refused as unknown, nor in Allow.
DECLINED = ("REFER",)
# Other known methods are refused with 405; all others are unknown to us: 501.
KNOWN = frozenset({*ALLOWED, *DECLINED, "REGISTER", "PUBLISH", "MESSAGE", "PRACK"})
OPENS_DIALOG = ("INVITE", "SUBSCRIBE")
SUPPORTED = ("timer",)
SERVER = "Voicemail-Pro"
ALLOW = ("Allow", ", ".join(ALLOWED))
ALLOW_EVENTS = ("Allow-Events", "message-summary")
SUPPORTS = ("Supported", ", ".join(SUPPORTED))
Headers = Iterable[tuple[str, str]]


def build_response(
    request: SipMessage,
    status: int,
    reason: str = "",
    *,
    to_tag: str = "",
    headers: Headers = (),
    content: bytes = b"",
    content_type: str = "",
) -> bytes:
    """The response to a request that was parsed. to_tag is added but for requests in a dialog and status 100."""
    vias = list(request.header_values("Via"))
    vias[0] = request.vias[0].answered_to(request.source)
    to = request.header("To") or ""
    if to_tag and status > 100 and not request.to.tag:
        to += f";tag={to_tag}"
    fields = [("Via", via) for via in vias]
    if request.method in OPENS_DIALOG and 100 < status < 300:
        fields += [("Record-Route", value) for value in request.raw_values("Record-Route")]
    fields += [
        ("From", request.header("From") or ""),
        ("To", to),
        ("Call-ID", request.call_id),
        ("CSeq", request.header("CSeq") or ""),
    ]
    timestamp = request.header("Timestamp")
    if status == 100 and timestamp:
        fields.append(("Timestamp", timestamp))
    fields += [("Server", SERVER), *headers]
    if content:
        fields.append(("Content-Type", content_type))
    return serialise(f"SIP/2.0 {status} {reason or reason_of(status)}", fields, content)


def response_address(request: SipMessage) -> Address:
    """Where the response goes: to the source's address.

    With rport, and where the Via is not the source's own address (a NAT between us), to the source's port too; else to
    the port that the Via names (RFC 3261 section 18.2.2): some gateways send from one port and listen on another.
    """
    via = request.vias[0]
    if via.param("rport") is None and same_host(via.host, request.source[0]):
        return request.source[0], via.port or 5060
    return request.source


def build_refusal(data: bytes, error: SipError, source: Address, to_tag: str) -> bytes | None:
    """The answer to a request that could not be parsed, from what is readable of it; None where that is too little."""
    head = re.split(rb"\r?\n\r?\n", data.lstrip(b"\r\n"), maxsplit=1)[0].decode("utf-8", "surrogateescape")
    lines = re.split(r"[\r\n]+", re.sub(r"\r?\n[ \t]+", " ", head))
    if lines[0].startswith(("SIP/", "ACK ")) or " SIP/" not in lines[0].upper():
        return None
    found: dict[str, list[str]] = {"via": [], "from": [], "to": [], "call-id": [], "cseq": []}
    for line in lines[1 : MAX_FIELDS + 1]:
        name, _, value = line.partition(":")
        name, value = canonical_name(name), value.strip()
        if name in found and value:
            found[name] += split_list(value) if name == "via" else [value]
    # Who sends more of them does not read the answer, which is to be no longer than what came.
    del found["via"][MAX_VIAS:]
    if not found["via"]:
        return None
    with suppress(SipError):  # one that cannot be read is echoed as it came: its sender may still know it again
        found["via"][0] = parse_via(found["via"][0]).answered_to(source)
    fields = [("Via", via) for via in found["via"]]
    for name, key in (("From", "from"), ("To", "to"), ("Call-ID", "call-id"), ("CSeq", "cseq")):
        if found[key]:
            value = found[key][0]
            if key == "to" and "tag=" not in value.lower():
                value += f";tag={to_tag}"
            fields.append((name, value))
    fields += [("Server", SERVER), *error.headers]
    return serialise(f"SIP/2.0 {error.status} {error.reason}", fields, b"")


def serialise(start_line: str, fields: Headers, content: bytes) -> bytes:
    """A message as bytes; Content-Length is added."""
    lines = [start_line, *(f"{name}: {value}" for name, value in fields), f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + content
