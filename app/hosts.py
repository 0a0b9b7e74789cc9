"""How hosts are written."""

from __future__ import annotations


def bracketed(host: str) -> str:
    """A host as it stands before a port: an address of IPv6 in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]" if ":" in host else host
