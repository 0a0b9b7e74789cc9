"""Ask for keys and wait for them."""

from __future__ import annotations

from dataclasses import dataclass

from voice.call import Call
from voice.events import Digit, Spoke
from voice.verbs.say import Say

FIRST_SECONDS = 6.0
BETWEEN_SECONDS = 4.0
ATTEMPTS = 3
NO_LIMIT = 1000
"""More keys than anybody presses: as many as come."""


@dataclass(frozen=True)
class Gathered:
    """What was pressed. digits: without the finish key. finished_by: the finish key, or empty.

    Neither: nothing was pressed, however often it was asked.
    """

    digits: str = ""
    finished_by: str = ""

    def __bool__(self) -> bool:
        return bool(self.digits or self.finished_by)


@dataclass(frozen=True)
class Gather:
    """Say a prompt and take up to `most` keys, until one of `finish_on` or a pause; keys typed ahead count.

    An empty prompt: nothing is said, as where it has been said already.

    first_timeout: seconds for the first key after the prompt; between: for each further one. attempts: how often it is
    asked where nothing is pressed. spoken: what is said to who speaks instead. A key beyond the last is left for the
    next who asks.
    """

    prompt: bytes = b""
    most: int = 1
    finish_on: str = "#"
    first_timeout: float = FIRST_SECONDS
    between: float = BETWEEN_SECONDS
    attempts: int = ATTEMPTS
    spoken: bytes = b""

    def run(self, call: Call) -> Gathered:
        """Ask until something is pressed."""
        for _ in range(self.attempts):
            if self.prompt:
                Say(self.prompt).run(call)
            if gathered := self._listen(call):
                return gathered
        return Gathered()

    def _listen(self, call: Call) -> Gathered:
        if not self.spoken:
            return self._take(call)
        call.hear_speech(True)
        try:
            return self._take(call)
        finally:
            call.hear_speech(False)

    def _take(self, call: Call) -> Gathered:
        digits = ""
        while len(digits) < self.most:
            key = self._key(call, self.between if digits else self.first_timeout)
            if key is None:
                break
            if key in self.finish_on:
                return Gathered(digits, key)
            digits += key
        return Gathered(digits)

    def _key(self, call: Call, timeout: float) -> str | None:
        """The next key, or None where none comes in time; who speaks is told once, and gets as much time again."""
        told = not self.spoken
        deadline = call.now + timeout
        # What is said in the room must not keep the call waiting for ever.
        while (event := call.wait(max(0.0, deadline - call.now))) is not None:
            if isinstance(event, Digit):
                return event.key
            if isinstance(event, Spoke) and not told:
                told = True
                Say(self.spoken).run(call)
                deadline = call.now + timeout
        return None
