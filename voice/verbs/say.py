"""Say something that any key interrupts; the key is for whoever asks next."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call
from voice.events import Digit, PlaybackDone


@dataclass(frozen=True)
class Say:
    """Play a payload until its end or any key. Where a key was typed ahead, nothing is played at all.

    loop: how often; 0: until a key.
    """

    payload: bytes
    loop: int = 1

    def run(self, call: Call) -> bool:
        """True where it was heard to its end; else the key that interrupted is still there to be taken."""
        if call.typed_ahead():
            return False
        token, left = call.play(self.payload), self.loop
        while True:
            event = call.wait()
            if isinstance(event, PlaybackDone) and event.token == token:
                if left == 1:
                    return True
                left -= 1 if self.loop else 0
                token = call.play(self.payload)
            if isinstance(event, Digit):
                call.stop_playback()
                call.give_back(event)
                return False
