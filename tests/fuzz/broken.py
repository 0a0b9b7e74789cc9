"""Inputs that once broke a parser: (target, input)."""

from __future__ import annotations

from tests.sip.messages import raw

BROKEN: list[tuple[str, bytes]] = [
    # A report without a reporter was read as one of SSRC 0.
    ("rtcp", b"\x80\xc9\0\0"),
    # A bare LF in a folded line came back in the answer.
    (
        "message",
        raw("X sip:h SIP/2.0", "v: SIP/2.0/UDP h", " ,SIP/2.0/UDP\n g", "f: sip:a@h", "t: sip:h", "i: 1", "CSeq: 1 X"),
    ),
]
