"""An owner's call as the flows hold it: what is said in whose language, what is asked, and of whom."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from voice.call import Call
from voice.errors import VoiceError
from voice.flows.keys import Do, Menu
from voice.flows.leave_message import Limits
from voice.owner import OwnerRequests
from voice.prompts import Prompts, payload_path
from voice.slow_sources import SlowSources
from voice.speech import speech_of
from voice.verbs import Gather, Gathered, Play, Say

log = logging.getLogger(__name__)
LONGEST_NUMBER = 20
MOST_KEYS = 64
"""Keys beyond the longest number are taken too: they must not answer the next question."""
WRONG_KEYS = 10
ATTEMPTS = 3


class NobodyThere(VoiceError):
    """No key was pressed however often it was asked, or only such as mean nothing: the call ends politely."""


@dataclass(frozen=True)
class Desk:
    """What the calls of owners need beside the call. folder: where recordings in the menus are made; language: until
    somebody has logged in; min_speech: seconds."""

    prompts: Prompts
    requests: OwnerRequests
    limits: Limits
    folder: Path
    language: str
    min_speech: float = 0.0
    trailing_silence: float = 0.5
    slow: SlowSources = field(default_factory=SlowSources)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Talk:
    """Says and asks in one language. CallEnded, NobodyThere."""

    def __init__(self, call: Call, desk: Desk, language: str) -> None:
        self.call, self.desk, self.requests = call, desk, desk.requests
        self.speak(language)

    def speak(self, language: str) -> None:
        """From now on in this language."""
        self.language, self.speech = language, speech_of(language)

    @property
    def source(self) -> str:
        """Where the call comes from, as log-ins are counted: the caller's number at an address."""
        return f"{self.call.facts.caller_number}@{self.call.facts.address}"

    def payload(self, names: Iterable[str]) -> bytes:
        """These prompts as one sound."""
        law = self.call.law
        return b"".join(self.desk.prompts.prompt(name, self.language, law) for name in names)

    def say(self, *names: str) -> bool:
        """Say prompts; True where they were heard to their end."""
        return Say(self.payload(names)).run(self.call)

    def tell(self, *names: str) -> None:
        """Say what must be heard before the call ends, whatever was typed ahead."""
        Play(self.payload(names)).run(self.call)

    def sound(self, path: Path | None) -> bytes | None:
        """A sound of the voice worker's cache; None where it cannot be read."""
        if path is None:
            return None
        try:
            return payload_path(path, self.call.law).read_bytes()
        except OSError as error:
            log.error("call=%s sound=%s cannot be played: %s", self.call.facts.call_id, path, error.strerror)
            return None

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
        """Offer a menu until a key of it is pressed; before: what is said ahead of it, once."""
        does = {key.key: key.does for key in menu}
        options = [name for key in menu if key.option for name in self.speech.option(key.option, key.key)]
        ahead = list(before)
        for _ in range(WRONG_KEYS):
            key = self.ask(*ahead, *options).digits
            if key in does:
                return does[key]
            ahead = ["invalid_key"]
        raise NobodyThere

    def confirmed(self, menu: Menu, *question: str) -> bool:
        """Ask a question that a key typed ahead must not answer."""
        self.call.forget_digits()
        return self.choose(menu, *question) is Do.CONFIRM
