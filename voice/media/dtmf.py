"""Keys sent as telephone events (RFC 4733)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voice.media.rtp import RTPError

KEYS = "0123456789*#ABCD"
REMEMBERED_EVENTS = 16
SEGMENT = 0xFFFF


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """event: 0-15 are keys, 16 a hook flash; volume: dBm0 below zero; duration: samples so far."""

    event: int
    end: bool
    volume: int
    duration: int

    @property
    def key(self) -> str | None:
        """The key, or None for events that are none."""
        return KEYS[self.event] if self.event < len(KEYS) else None


def parse_event(payload: bytes) -> TelephoneEvent:
    """Read a payload (section 2.3); RTPError where it is cut off. Further events in it are not looked at."""
    if len(payload) < 4:
        raise RTPError("a telephone event is cut off")
    return TelephoneEvent(payload[0], bool(payload[1] & 0x80), payload[1] & 0x3F, payload[2] << 8 | payload[3])


class EventReceiver:
    """Tells each key once, however many of its packets arrive and in whatever order.

    A key is known by SSRC, timestamp and event: some peers send keys with an SSRC of their own, and use
    a timestamp again with the next SSRC. A key that is held for over 8 s goes on in a new segment with a
    new timestamp (section 2.5.1.3) and is still one key.

    on_held(key) is called with each further packet of the key that came last, its end among them.
    """

    __slots__ = ("_on_held", "_open", "_seen")

    def __init__(self, on_held: Callable[[str], object] | None = None) -> None:
        self._on_held = on_held
        self._seen: tuple[tuple[int, int, int], ...] = ()
        self._open: tuple[int, int, int] | None = None

    def put(self, ssrc: int, timestamp: int, payload: bytes) -> str | None:
        """The key where this packet is the first of it, else None; RTPError."""
        event = parse_event(payload)
        if event.key is None:
            return None
        identity = (ssrc, timestamp, event.event)
        if identity in self._seen:
            if self._open == identity and event.end:
                self._open = None
            # A late packet of a key before says nothing of the one that is held now.
            if identity == self._seen[-1]:
                self._goes_on(event.key)
            return None
        continued = self._open == (ssrc, (timestamp - SEGMENT) & 0xFFFFFFFF, event.event)
        self._seen = (*self._seen[1 - REMEMBERED_EVENTS :], identity)
        self._open = None if event.end else identity
        if continued:
            self._goes_on(event.key)
            return None
        return event.key

    def _goes_on(self, key: str) -> None:
        if self._on_held is not None:
            self._on_held(key)
