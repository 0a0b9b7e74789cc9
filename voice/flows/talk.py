"""An owner's call as the flows hold it: the conversation, and whom they ask."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from voice.call import Call
from voice.errors import VoiceError
from voice.flows.conversation import ATTEMPTS, Conversation, NobodyThere, WrongKeys
from voice.flows.outcome import Limits
from voice.owner import OwnerRequests
from voice.prompts import Prompts, payload_path
from voice.slow_sources import SlowSources
from voice.verbs import Pause

__all__ = ["ATTEMPTS", "LONGEST_NUMBER", "Desk", "NobodyThere", "Talk", "WrongKeys", "WrongPins"]

log = logging.getLogger(__name__)
LONGEST_NUMBER = 20
WRONG_PINS = 3


class WrongPins(VoiceError):
    """As many wrong PINs in one call as end it."""


@dataclass(frozen=True)
class Desk:
    """What the calls of owners need beside the call. folder: where recordings in the menus are made; language: until
    somebody has logged in; greeting_seconds: the longest recording in the menus; min_speech: seconds."""

    prompts: Prompts
    requests: OwnerRequests
    limits: Limits
    folder: Path
    language: str
    greeting_seconds: float = 180.0
    min_speech: float = 0.0
    trailing_silence: float = 0.5
    slow: SlowSources = field(default_factory=SlowSources)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Talk(Conversation):
    """An owner's conversation, with what it needs of the application."""

    def __init__(self, call: Call, desk: Desk, language: str) -> None:
        super().__init__(call, desk.prompts, language)
        self.desk, self.requests = desk, desk.requests
        self._wrong_pins = 0

    @property
    def source(self) -> str:
        """Where the call comes from, as log-ins are counted: the caller's number at an address."""
        return f"{self.call.facts.caller_number}@{self.call.facts.address}"

    def await_turn(self) -> None:
        """A source of many wrong PINs waits for the answer to the next one, be it right or wrong."""
        if delay := self.desk.slow.delay(self._guesser):
            Pause(delay).run(self.call)

    def slow_down(self) -> None:
        """A PIN of this source was wrong."""
        self.desk.slow.failed(self._guesser)

    def count_wrong_pin(self) -> None:
        """One more of this call, whatever mailbox it was for; WrongPins."""
        self._wrong_pins += 1
        if self._wrong_pins >= WRONG_PINS:
            raise WrongPins

    @property
    def _guesser(self) -> str:
        """Whom wrong PINs slow down: where anybody may name any number as his own, all of the address."""
        return self.source if self.call.facts.trusted else self.call.facts.address

    def sound(self, path: Path | None) -> bytes | None:
        """A sound of the voice worker's cache; None where it cannot be read."""
        if path is None:
            return None
        try:
            return payload_path(path, self.call.law).read_bytes()
        except OSError as error:
            log.error("call=%s sound=%s cannot be played: %s", self.call.facts.call_id, path, error.strerror)
            return None
