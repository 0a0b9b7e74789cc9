"""Listen to a message: pause, resume, back and forward within it; any other key ends it."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call
from voice.events import Digit, PlaybackDone
from voice.verbs.say import Say

STEP_MS = 5000
PAUSE_SECONDS = 120.0
"""Who says nothing for so long in a pause has gone on waiting: the message goes on."""


@dataclass(frozen=True)
class Listened:
    """How it ended: by a key that this verb knows nothing of, or at the end of the message (no key)."""

    key: str = ""


@dataclass(frozen=True)
class Listen:
    """Play a payload from `from_ms` on. paused: what is said when it pauses.

    Keys typed ahead count: one that ends it plays nothing of it.
    """

    payload: bytes
    back: str
    ahead: str
    pause: str
    from_ms: int = 0
    paused: bytes = b""

    def run(self, call: Call) -> Listened:
        """Play until the end or another key."""
        position = self.from_ms
        token = 0 if call.typed_ahead() else call.play(self.payload, position)
        while True:
            event = call.wait()
            if isinstance(event, PlaybackDone) and event.token == token:
                return Listened()
            if not isinstance(event, Digit):
                continue
            if token:
                position = call.playback_ms
            call.stop_playback()
            key = event.key
            if key == self.pause:
                key = self._wait(call)
            if key == self.back:
                position = max(0, position - STEP_MS)
            elif key == self.ahead:
                position += STEP_MS
            elif key and key != self.pause:
                return Listened(key)
            token = call.play(self.payload, position)

    def _wait(self, call: Call) -> str:
        """Pause; the key that ends it, or nothing where none came."""
        Say(self.paused).run(call)
        while True:
            event = call.wait(PAUSE_SECONDS)
            if event is None or isinstance(event, Digit):
                return event.key if event else ""
