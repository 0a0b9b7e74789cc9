"""Programs that search the internet for SIP servers and weak passwords, known by what they write into a message."""

from __future__ import annotations

import re

SEARCHED_BYTES = 4096
# What they call themselves.
_NAMES = (
    rb"friendly-(?:scanner|request)|sipvicious|sipcli|sip-?scan|sundayddr|pplsip|vaxsipuseragent|sivus"
    rb"|\b(?:iwar|smap)\b"
)
# SIPVicious calls from 100@1.1.1.1, nmap from nm@nm; others try an injection of SQL.
_CALLERS = rb"sipvicious|friendly-scanner|@1\.1\.1\.1\b|sip:nm@nm\b|'or'[0-9]=[0-9]"
_SCANNER = re.compile(
    rb"^(?:(?:user-agent|server)[ \t]*:[^\r\n]*(?:" + _NAMES + rb")"
    rb"|(?:from|f|to|t|contact|m)[ \t]*:[^\r\n]*(?:" + _CALLERS + rb"))",
    re.I | re.M,
)


def is_scanner(data: bytes) -> bool:
    """Whether a datagram, which may be malformed, comes from a known scanner."""
    return _SCANNER.search(data, 0, SEARCHED_BYTES) is not None
