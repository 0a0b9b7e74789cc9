"""What can happen in a call, as its flow hears of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed: one of 0-9 * # A-D, told once however it was signalled."""

    key: str


@dataclass(frozen=True, slots=True)
class PlaybackDone:
    """The last frame of what play() was given with this token has been sent."""

    token: object


@dataclass(frozen=True, slots=True)
class SilenceReached:
    """The recording has been without speech for the silence time-out."""


@dataclass(frozen=True, slots=True)
class ToneReached:
    """The caller's line has gone: a tone of the network sounds in its place. kind: busy, dial or sit."""

    kind: str


@dataclass(frozen=True, slots=True)
class Spoke:
    """Somebody said a sentence and has come to its end (only where Call.hear_speech() asks for it)."""


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The recording is as long as it may be, or can no longer be written."""


@dataclass(frozen=True, slots=True)
class HoldChanged:
    """The other side put the call on hold (True) or took it back (False)."""

    held: bool


@dataclass(frozen=True, slots=True)
class MediaTimeout:
    """Nothing has been heard from the other side for the media time-out."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over.

    reason: "caller hung up", "cancelled", "no ACK", "media timeout", "session expired", "shutdown", "we hung up",
    "transferred" or "error".
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the flow has sent somebody for is there, or cannot be had (voice/twiml/waiting.py)."""

    token: object


Event = (
    Digit
    | PlaybackDone
    | SilenceReached
    | ToneReached
    | Spoke
    | LimitReached
    | HoldChanged
    | MediaTimeout
    | Ended
    | Arrived
)
