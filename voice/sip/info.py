"""Keys in INFO bodies: application/dtmf-relay and application/dtmf. Pure."""

from __future__ import annotations

from voice.sip.message import SipMessage

RELAY = "application/dtmf-relay"
PLAIN = "application/dtmf"
KEYS = "0123456789*#ABCD"
# In both bodies some peers write the event number: 10 = star, 11 = hash.
_NUMBERED = {"10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D"}


def carries_keys(message: SipMessage) -> bool:
    """True where a part of the body is one of the two types."""
    return any(part.media_type in (RELAY, PLAIN) for part in message.parts)


def key_of(message: SipMessage) -> str | None:
    """The key that an INFO tells, or None."""
    for part in message.parts:
        text = ""
        if part.media_type == RELAY:
            text = _signal(part.content.decode("ascii", "replace"))
        elif part.media_type == PLAIN:
            text = part.content.decode("ascii", "replace")
        key = text.strip().upper()
        key = _NUMBERED.get(key, key)
        if len(key) == 1 and key in KEYS:
            return key
    return None


def _signal(text: str) -> str:
    """The value of the line `Signal=5`; a line `Duration=160` may follow."""
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip().lower() == "signal":
            return value
    return ""
