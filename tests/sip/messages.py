"""SIP messages for tests: texts with the parts that a test cares about as arguments."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from voice.sip.message import SipMessage

SOURCE = ("192.0.2.10", 5080)
_numbers = itertools.count(1)


def offer(*lines: str, port: int = 4000, address: str = "192.0.2.10", formats: str = "0 8 101") -> bytes:
    """A session description; `lines` follow the audio line."""
    head = ["v=0", f"o=peer 1 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0"]
    audio = [f"m=audio {port} RTP/AVP {formats}", "a=rtpmap:101 telephone-event/8000"]
    return described(*head, *audio, *lines)


def described(*lines: str) -> bytes:
    """Lines of a session description, ended as RFC 4566 asks."""
    return "".join(f"{line}\r\n" for line in lines).encode()


def request(
    method: str,
    uri: str = "sip:1001@192.0.2.1",
    *headers: str,
    body: bytes = b"",
    kind: str = "application/sdp",
    replace: dict[str, str] | None = None,
    drop: Iterable[str] = (),
) -> bytes:
    """A whole request. `replace` and `drop` change the usual headers by name; `headers` are added as they are."""
    number = next(_numbers)
    usual = {
        "Via": f"SIP/2.0/UDP 192.0.2.10:5080;branch=z9hG4bK-{number};rport",
        "Max-Forwards": "70",
        "From": f'"Bob" <sip:2000@192.0.2.10>;tag=from-{number}',
        "To": "<sip:1001@192.0.2.1>",
        "Call-ID": f"call-{number}@192.0.2.10",
        "CSeq": f"1 {method}",
        "Contact": "<sip:2000@192.0.2.10:5080>",
    }
    usual.update(replace or {})
    if body:
        usual.setdefault("Content-Type", kind)
    usual.setdefault("Content-Length", str(len(body)))
    lines = [f"{method} {uri} SIP/2.0"]
    lines += [f"{name}: {value}" for name, value in usual.items() if name not in drop]
    return "\r\n".join([*lines, *headers, "", ""]).encode("utf-8", "surrogateescape") + body


def parsed(data: bytes) -> SipMessage:
    """The message as it would come from SOURCE."""
    return SipMessage(data, SOURCE)


def raw(*lines: str, body: bytes = b"") -> bytes:
    """Lines of a message, written out by the test."""
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body
