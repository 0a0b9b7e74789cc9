"""Let time go by."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call
from voice.media import SAMPLE_RATE
from voice.verbs.play import Play

PIECE_SECONDS = 30


@dataclass(frozen=True)
class Pause:
    """Silence for so many seconds; keys pressed meanwhile are typed ahead. Before the answer it rings so long."""

    seconds: float

    def run(self, call: Call) -> None:
        """Wait it out; CallEnded."""
        if not call.answered:
            self._ring(call)
            return
        # Silence of an hour need not be in memory at once.
        pieces, rest = divmod(round(self.seconds * SAMPLE_RATE), PIECE_SECONDS * SAMPLE_RATE)
        if pieces:
            Play(call.law.silence(PIECE_SECONDS * SAMPLE_RATE), loop=pieces, keep=True).run(call)
        if rest:
            Play(call.law.silence(rest), keep=True).run(call)

    def _ring(self, call: Call) -> None:
        deadline = call.now + self.seconds
        while (left := deadline - call.now) > 0:
            call.wait(left)
