"""Play keys: the tones that a telephone makes of them."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call
from voice.media.key_tones import key_tones
from voice.verbs.play import Play


@dataclass(frozen=True)
class PlayKeys:
    """Tones of the keys 0-9 * # A-D, one after another; w waits 0.5 s, W waits 1 s. loop: as of Play."""

    keys: str
    loop: int = 1

    def run(self, call: Call) -> None:
        """Play them to their end; keys that the caller presses meanwhile are typed ahead. CallEnded."""
        Play(key_tones(self.keys, call.law), loop=self.loop, keep=True).run(call)
