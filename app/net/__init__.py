"""HTTP to addresses that people typed: only http and https, only to public addresses unless a network is allowed.

The name is resolved here, the addresses are checked, and one of those is connected to, so that a second answer of the
DNS counts for nothing; Host, SNI and the certificate's check stay those of the name. Redirects are not followed,
answers are read up to a limit and a deadline, and proxies of the environment are not used.
"""

from app.net.addresses import is_public, may_connect
from app.net.client import (
    CERTIFICATE,
    CONNECTION,
    NAME,
    PROTOCOL,
    TLS,
    Answer,
    BadRequest,
    Client,
    Limits,
    NetError,
    Refused,
    TimedOut,
    Unreachable,
    basic_of,
    checked_url,
    place_of,
)
from app.net.connections import Resolve, system_resolve
from app.net.signing import SIGNATURE, USER_AGENT, timestamped

__all__ = [
    "CERTIFICATE",
    "CONNECTION",
    "NAME",
    "PROTOCOL",
    "SIGNATURE",
    "TLS",
    "USER_AGENT",
    "Answer",
    "BadRequest",
    "Client",
    "Limits",
    "NetError",
    "Refused",
    "Resolve",
    "TimedOut",
    "Unreachable",
    "basic_of",
    "checked_url",
    "is_public",
    "may_connect",
    "place_of",
    "system_resolve",
    "timestamped",
]
