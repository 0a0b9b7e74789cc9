"""What became of NOTIFYs, as it is kept and shown: plain values, of subscriptions and of a PBX alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from voice.mailbox import MessageCounts
from voice.sip.message import Address, SipMessage
from voice.sip.registrar import SIP_PORT, USER_CHARACTERS
from voice.sip.uri import bracketed, parse_host_port

SUBSCRIPTION, PBX = "subscription", "pbx"


@dataclass(frozen=True)
class PbxTarget:
    """A PBX that is told without a subscription.

    place: host (a name, or an IP address) and port; uri: of a mailbox there, with {extension}; sender: our own URI
    there, of From; registered: it is our registrar, which is told only while we are registered; refresh: seconds.
    """

    place: Address
    uri: str
    sender: str
    registered: bool = False
    refresh: float = 900.0

    @classmethod
    def of(cls, target: str, user: str, username: str, *, registered: bool, refresh: float) -> PbxTarget:
        """target: `host` or `host:port`; user: `USER` or `USER@DOMAIN`, with {extension}; username: our own there."""
        host, port = parse_host_port(target)
        name, _, domain = user.partition("@")
        at = domain or bracketed(host) + (f":{port}" if port else "")
        sender = f"sip:{quote(username, safe=USER_CHARACTERS)}@{domain or bracketed(host)}"
        return cls((host, port or SIP_PORT), f"sip:{name}@{at}", sender, registered, refresh)


@dataclass(frozen=True)
class Claim:
    """A PBX is to be told of these counts. key: of what is written down; over: the lamp is to go out for good."""

    key: str
    uri: str
    counts: MessageCounts
    over: bool = False


@dataclass(frozen=True)
class Told:
    """What came of a NOTIFY; see Told of app/services/lamps.py.

    kind: subscription or pbx; version: that the device knows of now, None: of none newer than before; remaining:
    seconds until this says nothing any more.
    """

    key: str
    kind: str
    counts: MessageCounts
    answer: str
    works: bool
    version: int | None
    remaining: float
    device: str = ""
    over: bool = False

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def answer_words(response: SipMessage | None, seconds: float) -> str:
    """What was answered, as a person reads it."""
    return f"{response.code} {response.reason}".strip() if response else f"no answer within {seconds:.0f} s"
