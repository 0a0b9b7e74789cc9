"""Say something that any key interrupts; the key is for whoever asks next."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call
from voice.events import Digit, PlaybackDone


@dataclass(frozen=True)
class Say:
    """Play a payload until its end or any key. Where a key was typed ahead, nothing is played at all."""

    payload: bytes

    def run(self, call: Call) -> bool:
        """True where it was heard to its end; else the key that interrupted is still there to be taken."""
        if call.typed_ahead():
            return False
        token = call.play(self.payload)
        while True:
            event = call.wait()
            if isinstance(event, PlaybackDone) and event.token == token:
                return True
            if isinstance(event, Digit):
                call.stop_playback()
                call.give_back(event)
                return False
