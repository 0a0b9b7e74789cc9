"""Hang up."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call
from voice.verbs.play import Play

LAST_SOUND_SAMPLES = 2400


@dataclass(frozen=True)
class Hangup:
    """End the call, once the last sound has been heard: the BYE overtakes what a phone holds in its jitter buffer."""

    def run(self, call: Call) -> None:
        """Harmless where the call is over; CallEnded where the caller is quicker."""
        Play(call.law.silence(LAST_SOUND_SAMPLES)).run(call)
        call.hangup()
