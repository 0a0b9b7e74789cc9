"""What programmed calls need from outside, and who goes for it: documents, sounds, speech, callbacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from voice.errors import VoiceError
from voice.twiml.document import Document


class ErrandFailed(VoiceError):
    """It could not be had. code: Twilio's number of the error (docs/twiml.md); str() is a sentence for the developer.

    url: what was asked for, or empty. exchanges: the requests of it, as in Fetched.
    line, column: where the document that came is wrong, from 1, or 0 where it is no matter of a place.
    """

    def __init__(
        self,
        code: int,
        text: str,
        url: str = "",
        exchanges: tuple[Exchange, ...] = (),
        line: int = 0,
        column: int = 0,
    ) -> None:
        super().__init__(text)
        self.code, self.url, self.exchanges = code, url, exchanges
        self.line, self.column = line, column


@dataclass(frozen=True)
class Ask:
    """A request of a call. parameters: in the order in which they are sent; a name may come more than once.

    method: GET (they join the query) or POST (they are the form).
    """

    call_sid: str
    url: str
    method: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Exchange:
    """One request and what came back, for the trace; secrets are masked. status: 0 where nothing came.

    at: when it was sent (ISO 8601, UTC). body: the beginning of the answer as text. error: why there is none.
    """

    method: str
    url: str
    parameters: tuple[tuple[str, str], ...]
    at: str
    seconds: float
    status: int = 0
    content_type: str = ""
    body: str = ""
    error: str = ""


@dataclass(frozen=True)
class Fetched:
    """A document, and the requests that led to it: more than one where there were redirects (HTTP 301 to 308)."""

    document: Document
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True)
class Sound:
    """A sound beside the voice worker: a WAV with its payload of each law beside it (voice.prompts.payload_path).

    cached: it was here already. language: of speech, the one that is heard, which may be another than was asked for;
    notice: what the developer should know of it, or empty.
    """

    path: Path
    seconds: float
    cached: bool = False
    language: str = ""
    notice: str = ""
    exchanges: tuple[Exchange, ...] = field(default=())


class Errands(Protocol):
    """Whoever goes: the courier process (voice/twiml/courier.py), or this very process in the simulator.

    All of it may take seconds; whoever paces media never does it himself.
    """

    def document(self, ask: Ask) -> Fetched:
        """Fetch and parse a document, signed, with the cookies of the call; ErrandFailed."""
        ...

    def sound(self, url: str) -> Sound:
        """Fetch a sound of Play, or take it from the cache; ErrandFailed."""
        ...

    def speech(self, text: str, language: str, voice: str) -> Sound:
        """Say a text, or take it from the cache; ErrandFailed where no engine can say anything."""
        ...

    def callback(self, ask: Ask, done: Callable[[tuple[Exchange, ...]], object]) -> None:
        """Send a request whose answer nobody waits for, a few times if need be; it never fails.

        done: told of all tries at the end, from another thread.
        """
        ...

    def over(self, call_sid: str) -> None:
        """The call has ended: its cookies go."""
        ...
