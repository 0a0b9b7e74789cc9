"""Play a sound."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call
from voice.events import Digit, PlaybackDone
from voice.verbs.kept import KeptKeys

FOR_EVER = 0


@dataclass(frozen=True)
class Play:
    """Play a payload to its end, or until one of the keys in `interrupt_on` is pressed.

    loop: how often; FOR_EVER: until the call is over. keep: keys that do not interrupt count as typed ahead, else they
    are ignored.
    """

    payload: bytes
    interrupt_on: str = ""
    loop: int = 1
    keep: bool = False

    def run(self, call: Call) -> str | None:
        """The key that interrupted, or None when it played to its end."""
        with KeptKeys(call) as kept:
            token, left = call.play(self.payload), self.loop
            # Nothing but the end of this very sound, a key or the end of the call ends the wait: a
            # stream that is held does not advance, and its call is ended by the media time-out.
            while True:
                event = call.wait()
                if isinstance(event, PlaybackDone) and event.token == token:
                    if left == 1:
                        return None
                    left -= 1 if self.loop else 0
                    token = call.play(self.payload)
                elif isinstance(event, Digit) and event.key in self.interrupt_on:
                    call.stop_playback()
                    return event.key
                elif isinstance(event, Digit) and self.keep:
                    kept.take(event)
