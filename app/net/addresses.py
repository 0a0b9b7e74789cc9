"""Which addresses may be connected to: public ones, and networks that somebody allowed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# IANA's registries of special-purpose addresses, multicast, and where clouds hand out secrets (168.63.129.16 is Azure).
SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("168.63.129.16/32", "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)
PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
# RFC 6052: the way from a host without IPv4 to one that has nothing else.
NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether it is an address of the public internet, and not one of a special network."""
    if isinstance(address, ipaddress.IPv6Address) and address not in PUBLIC_IPV6:
        return address in NAT64 and is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return not any(address in network for network in SPECIAL)


def may_connect(text: str, allowed: Iterable[Network] = ()) -> bool:
    """Whether an address, as text, is public or lies in an allowed network."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    # An IPv4 address in the clothes of IPv6 is connected to as IPv4.
    bare = (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address
    return is_public(address) or any(bare in network or address in network for network in allowed)
