"""A conversation with the mailbox written down like a screenplay, and the stage on which it is played.

    SYSTEM  welcome
    SYSTEM  enter_pin, menu
    OWNER   4711#
    SYSTEM  counts(2, 1), menu
    OWNER   hangs up

The flow, the verbs and the recorder are the real ones; the wire, the application, the voices and the clock are acted. A
sentence of several sounds stands with commas between them; `f(...)` in it is what the grammar was asked to say, `menu`
are all the options that are offered. What the owner may do:

    1234#               press keys when the system has fallen silent
    interrupts with 1   press keys while the sentence above is being said; more of them are typed ahead
    after 3 s presses 1 press keys when so much of the message above was heard
    waits               press nothing for as long as the system waits
    speaks              say something where keys are wanted
    says something      what is recorded (with `, presses #` a key ends it, else silence)
    says nothing        the same without a word; `says a word`: too little for a message
                        (with `, hangs up`, `, goes on for too long`, `, is cut off`: how the recording ends)
    hangs up

and EVENT lines name something that happens meanwhile (tests/calls/application.py).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.calls.application import Application
from tests.calls.scripted import HANG_UP, Statistics
from tests.peers.speech import speech
from voice.call import Call, CallFacts
from voice.events import Digit, Ended, Event, LimitReached, PlaybackDone, SilenceReached, Spoke, ToneReached
from voice.flows import conversation, talk
from voice.flows.outcome import Limits
from voice.media.g711 import Law
from voice.media.recorder import SpoolWriter
from voice.prompts import BUILT_IN
from voice.slow_sources import SlowSources
from voice.speech import speech_of
from voice.speech.base import PAUSE

NOW = datetime(2026, 11, 24, 15, 45, tzinfo=UTC)
SPOKEN = speech(2.0, seed=3)
WORD = 4800
LAST_SOUND = 2400
ENDS: dict[str, Event] = {
    "": SilenceReached(),
    "hangs up": HANG_UP,
    "goes on for too long": LimitReached(),
    "is cut off": ToneReached("busy"),
}
FRAME = 160
MENU = re.compile(r"option_\w+(, option_\w+)*")


@dataclass(frozen=True)
class Line:
    """A line of a screenplay."""

    number: int
    who: str
    text: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.who} {self.text}"


END = Line(0, "", "the end")


def lines_of(text: str) -> list[Line]:
    """The lines of a screenplay; empty ones are left out."""
    found = []
    for number, line in enumerate(text.strip().splitlines(), 1):
        who, _, what = line.strip().partition(" ")
        if who:
            assert who in ("SYSTEM", "OWNER", "CALLER", "EVENT"), line
            found.append(Line(number, who.replace("CALLER", "OWNER"), what.strip()))
    return found


@cache
def known_sounds(language: str) -> set[str]:
    """What can be said in a language."""
    prompts = tomllib.loads((BUILT_IN / "prompts.toml").read_text(encoding="utf-8"))
    return {name for name, texts in prompts.items() if language in texts} | {PAUSE}


def check_known(names: Sequence[str], language: str) -> None:
    missing = [name for name in names if name not in known_sounds(language)]
    assert not missing, f"prompts.toml has no {missing} in {language}"


class ActedPrompts:
    """Payloads that can be read: the names of their sounds, each of which must be in prompts.toml."""

    def say(self, names: Sequence[str], language: str, law: Law) -> bytes:
        check_known([name for name in names if "(" not in name], language)
        return ", ".join(names).encode()

    def tone(self, name: str, law: Law) -> bytes:
        return f"<{name}>".encode()

    def sound(self, path: str, law: Law) -> bytes | None:
        return None if "broken" in path else f"<{path}>".encode()


class ActedSpeech:
    """Says what the grammar was asked to say; the real grammar says it too, with sounds that must all exist."""

    def __init__(self, language: str) -> None:
        self._speech, self.language = speech_of(language), language

    def __getattr__(self, name: str) -> Callable[..., list[str]]:
        def said(*values: Any) -> list[str]:
            check_known(getattr(self._speech, name)(*values), self.language)
            return [values[0]] if name == "option" else [f"{name}({' '.join(map(_shown, values))})"]

        return said


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%d.%m. %H:%M}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def text_of(payload: bytes) -> str:
    """What is to be read in a payload; nothing for the moment of silence before the call ends."""
    heard = payload.rstrip(b"\xff")
    if not heard:
        return f"<silence of {len(payload) / 8000:g} s>" if len(payload) > LAST_SOUND else ""
    return MENU.sub("menu", heard.decode()) if heard.isascii() else "<recording>"


class ActedStream:
    """The media: what is played is the play's to judge, what is recorded comes from it."""

    def __init__(self, play: Play, post: Callable[[Event], None]) -> None:
        self._play, self._post = play, post
        self.law = Law.PCMU
        self.statistics = Statistics()
        self.token: object = None
        self.length = self.played_samples = 0
        self.hears_speech = False

    def play(self, payload: bytes, token: object, start: int = 0) -> None:
        self.token, self.length, self.played_samples = token, len(payload), min(start, len(payload))
        if said := text_of(payload):
            self._play.said(said + (f" from {self.played_samples / 8000:g} s" if start else ""))

    def end(self) -> None:
        """What plays is heard to its end."""
        token, self.token, self.played_samples = self.token, None, self.length
        self._post(PlaybackDone(token))

    def stop_playback(self) -> None:
        self.token = None

    def hear_speech(self, wanted: bool) -> None:
        self.hears_speech = wanted

    def record(self, sink: Any) -> None:
        self.token = None
        payload, event = self._play.recording()
        for start in range(0, len(payload), FRAME):
            sink.frame(payload[start : start + FRAME])
        self._post(event)

    def stop_recording(self) -> None:
        """Nothing comes beyond the line that says what is recorded."""


class ActedLeg:
    """The signalling, of a PBX that takes transfers to numbers that begin with 0."""

    call_id = "acted@test"

    def __init__(self, play: Play) -> None:
        self._play = play
        self.stream: Any = None
        self.post: Callable[[Event], None] = lambda event: None
        self.hung_up = False

    def answer(self) -> bool:
        return True

    def transfer(self, target: str) -> bool:
        self._play.transfers.append(target)
        if not target.startswith("0"):
            return False
        self.post(Ended("transferred"))
        return True

    def hangup(self) -> None:
        self.hung_up = True
        self.post(Ended("we hung up"))


class ActedCall(Call):
    """A call in which no time passes: who waits meets at once what comes next in the play."""

    play_of: Play

    def wait(self, timeout: float | None = None) -> Event | None:
        self.play_of.step()
        while True:
            event = super().wait(0)
            if event is not None or not self.play_of.acts(timeout is not None):
                return event


@dataclass
class Play:
    """One performance. hang_up_at: at which step the owner hangs up whatever the play says; 0 for nowhere.

    min_speech, greeting_seconds: of recordings in the menus. trusted: what the call says of its caller is true.
    """

    text: str
    application: Application
    folder: Path
    language: str = "en"
    hang_up_at: int = 0
    min_speech: float = 0.2
    greeting_seconds: float = 180.0
    trusted: bool = True
    slow: SlowSources = field(default_factory=lambda: SlowSources(lambda: 0.0))

    def __post_init__(self) -> None:
        self._lines = lines_of(self.text)
        self._next = 0
        self._over = False
        self.steps = 0
        self.transfers: list[str] = []

    def perform(
        self, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch, flow: Callable[[Call, talk.Desk], object]
    ) -> object:
        """From the first line to the last; AssertionError where somebody leaves the text."""
        monkeypatch.setattr(conversation, "speech_of", ActedSpeech)
        desk = talk.Desk(
            prompts=ActedPrompts(),  # type: ignore[arg-type]
            requests=self.application,
            limits=Limits(silence_timeout=5.0, max_duration=120.0),
            folder=self.folder,
            language=self.language,
            greeting_seconds=self.greeting_seconds,
            min_speech=self.min_speech,
            slow=self.slow,
            now=lambda: NOW,
        )
        self.leg = ActedLeg(self)
        facts = CallFacts("acted@test", "1001", "Alice", ("1001",), address="192.0.2.7", trusted=self.trusted)
        self._call = call = ActedCall(self.leg, facts, writer)  # type: ignore[arg-type]
        call.play_of = self
        self.leg.post = call.post
        self._stream = self.leg.stream = ActedStream(self, call.post)
        outcome = flow(call, desk)
        if not self._over:
            assert self._line is END, f"nobody comes to {self._line}"
        return outcome

    @property
    def _line(self) -> Line:
        return self._lines[self._next] if self._next < len(self._lines) else END

    def said(self, text: str) -> None:
        """The system begins to say something."""
        if self._over:
            return
        self._happens()
        assert (self._line.who, self._line.text) == ("SYSTEM", text), f"{self._line}\nbut the system says: {text}"
        self._next += 1

    def recording(self) -> tuple[bytes, Event]:
        """What is said into a recording, and what ends it."""
        line = self._line
        assert (line.who, line.text[:4]) == ("OWNER", "says"), f"{line}\nbut the system records"
        self._next += 1
        said, _, end = line.text.partition(", ")
        payload = {"says something": SPOKEN, "says a word": SPOKEN[:WORD], "says nothing": b"\xff" * 8000}[said]
        if end.startswith("presses "):
            return payload, Digit(end.removeprefix("presses "))
        self._over = end == "hangs up"
        return payload, ENDS[end]

    def step(self) -> None:
        """Somebody waits for what comes next."""
        self.steps += 1
        if self.steps == self.hang_up_at:
            self._hang_up()

    def acts(self, timed: bool) -> bool:
        """Let the next thing happen; False where it is that time passes."""
        self._happens()
        line, stream = self._line, self._stream
        if stream.token is not None:
            return self._listens(line)
        if line.who != "OWNER":
            assert timed, f"{line}\nbut the system waits for ever"
            return False
        self._next += 1
        if line.text == "waits":
            assert timed, f"{line}\nbut the system waits for ever"
            return False
        if line.text == "hangs up":
            self._hang_up()
        elif line.text == "speaks":
            assert stream.hears_speech, f"{line}\nbut nobody listens"
            self._call.post(Spoke())
        else:
            self._press(line, line.text)
        return True

    def _listens(self, line: Line) -> bool:
        """While something plays: the owner hears it out, or presses keys."""
        words = line.text.split() if line.who == "OWNER" else []
        match words:
            case ["interrupts", "with", keys]:
                self._next += 1
                self._press(line, keys)
            case ["after", seconds, "s", "presses", keys]:
                self._next += 1
                self._stream.played_samples = int(seconds) * 8000
                self._press(line, keys)
            case _:
                self._stream.end()
        return True

    def _press(self, line: Line, keys: str) -> None:
        assert re.fullmatch(r"[0-9*#A-D]+", keys), f"{line}\nis nothing that can be done now"
        for key in keys:
            self._call.post(Digit(key))

    def _hang_up(self) -> None:
        self._over = True
        self._call.post(HANG_UP)

    def _happens(self) -> None:
        while self._line.who == "EVENT":
            self.application.happens(self._line.text)
            self._next += 1
