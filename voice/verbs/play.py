"""Play a sound."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call
from voice.events import Digit, PlaybackDone


@dataclass(frozen=True)
class Play:
    """Play a payload to its end, or until one of the keys in `interrupt_on` is pressed."""

    payload: bytes
    interrupt_on: str = ""

    def run(self, call: Call) -> str | None:
        """The key that interrupted, or None when it played to its end; other keys are ignored."""
        token = call.play(self.payload)
        # Nothing but the end of this very sound, a key or the end of the call ends the wait: a
        # stream that is held does not advance, and its call is ended by the media time-out.
        while True:
            event = call.wait()
            if isinstance(event, PlaybackDone) and event.token == token:
                return None
            if isinstance(event, Digit) and event.key in self.interrupt_on:
                call.stop_playback()
                return event.key
