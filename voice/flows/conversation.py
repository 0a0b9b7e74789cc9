"""A conversation by telephone: what is said in whose language, and what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voice.call import Call
from voice.errors import VoiceError
from voice.flows.keys import Do, Menu
from voice.media.wav import HEADER_SIZE
from voice.prompts import Prompts
from voice.speech import speech_of
from voice.verbs import Gather, Gathered, Hangup, Play, Say

MOST_KEYS = 64
"""Keys beyond the longest number are taken too: they must not answer the next question."""
WRONG_KEYS = 10
ATTEMPTS = 3


class NobodyThere(VoiceError):
    """No key was pressed however often it was asked: the call ends politely."""


class WrongKeys(NobodyThere):
    """Only keys that mean nothing were pressed, as by a key that is stuck: the call ends too."""


class Conversation:
    """Says and asks in one language. CallEnded, NobodyThere."""

    def __init__(self, call: Call, prompts: Prompts, language: str) -> None:
        self.call, self._prompts = call, prompts
        self.speak(language)

    def speak(self, language: str) -> None:
        """From now on in this language."""
        self.language, self.speech = language, speech_of(language)

    def payload(self, names: Sequence[str]) -> bytes:
        """These prompts as one sound."""
        return self._prompts.say(names, self.language, self.call.law)

    def say(self, *names: str) -> bool:
        """Say prompts; True where they were heard to their end."""
        return not names or Say(self.payload(names)).run(self.call)

    def tell(self, *names: str) -> None:
        """Say what must be heard before the call ends, whatever was typed ahead."""
        Play(self.payload(names)).run(self.call)

    def tone(self, name: str) -> None:
        """Play a tone to its end."""
        Play(self._prompts.tone(name, self.call.law)).run(self.call)

    def replay(self, recording: Path) -> None:
        """Play what was recorded in this call, whose law it is in; OSError."""
        Say(recording.read_bytes()[HEADER_SIZE:]).run(self.call)

    def end(self) -> None:
        """Hang up, once the last sound has been heard: the BYE overtakes what a phone holds in its jitter buffer."""
        Hangup().run(self.call)

    def ask(self, *names: str, most: int = 1, finish_on: str = "") -> Gathered:
        """Ask for keys. NobodyThere where none comes."""
        gathered = Gather(
            self.payload(names), most, finish_on, attempts=ATTEMPTS, spoken=self.payload(["keys_wanted"])
        ).run(self.call)
        if not gathered:
            raise NobodyThere
        return gathered

    def number(self, *names: str) -> Gathered:
        """Ask for a number that ends with #, or * to go back; a pause ends it too."""
        return self.ask(*names, most=MOST_KEYS, finish_on="#*")

    def choose(self, menu: Menu, *before: str) -> Do:
        """Offer a menu until a key of it is pressed, WrongKeys; before: what is said ahead of it, once."""
        does = {key.key: key.does for key in menu}
        options = [name for key in menu if key.option for name in self.speech.option(key.option, key.key)]
        ahead = list(before)
        for _ in range(WRONG_KEYS):
            key = self.ask(*ahead, *options).digits
            if key in does:
                return does[key]
            ahead = ["invalid_key"]
        raise WrongKeys

    def confirmed(self, menu: Menu, *question: str) -> bool:
        """Ask a question that a key typed ahead must not answer."""
        self.call.forget_digits()
        return self.choose(menu, *question) is Do.CONFIRM
