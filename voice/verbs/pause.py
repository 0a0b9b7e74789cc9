"""Let time go by."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call
from voice.events import Digit, PlaybackDone
from voice.media import SAMPLE_RATE


@dataclass(frozen=True)
class Pause:
    """Silence for so many seconds; keys pressed meanwhile are typed ahead."""

    seconds: float

    def run(self, call: Call) -> None:
        """Wait it out; CallEnded."""
        token = call.play(call.law.silence(round(self.seconds * SAMPLE_RATE)))
        pressed: list[Digit] = []
        while (event := call.wait()) != PlaybackDone(token):
            if isinstance(event, Digit):
                pressed.append(event)
        for digit in reversed(pressed):
            call.give_back(digit)
