"""A call without a wire: what the caller does is a script, what was played and recorded is noted.

The flow, the verbs, the recorder and the spool are the real ones; only signalling and RTP are scripted.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from voice import spool
from voice.call import Call, CallFacts
from voice.events import Digit, Ended, Event, PlaybackDone
from voice.media.g711 import Law
from voice.media.recorder import SpoolWriter

FRAME = 160


@dataclass
class Statistics:
    received: int = 0
    lost: int = 0


@dataclass
class ScriptedStream:
    """Plays at once and feeds what the caller says as soon as somebody records.

    on_play maps the ordinal of a playback (1 = the greeting) to events that come instead of its end.
    """

    post: Callable[[Event], None]
    speech: bytes = b""
    after_speech: tuple[Event, ...] = ()
    on_play: dict[int, tuple[Event, ...]] = field(default_factory=dict)
    law: Law = Law.PCMU
    played: list[bytes] = field(default_factory=list)
    stopped: int = 0
    statistics: Statistics = field(default_factory=Statistics)
    sink: Any = None
    over: bool = False
    played_samples: int = 0
    hears_speech: bool = False

    def tell(self, event: Event) -> None:
        """Post an event; after the end of the call nothing is heard any more."""
        self.over = self.over or isinstance(event, Ended)
        self.post(event)

    def play(self, payload: bytes, token: object, start: int = 0) -> None:
        if self.over:
            return
        self.played.append(payload)
        self.played_samples = len(payload)
        for event in self.on_play.get(len(self.played), (PlaybackDone(token),)):
            self.tell(event)

    def stop_playback(self) -> None:
        self.stopped += 1

    def hear_speech(self, wanted: bool) -> None:
        self.hears_speech = wanted

    def record(self, sink: Any) -> None:
        self.sink = sink
        for start in range(0, len(self.speech), FRAME):
            sink.frame(self.speech[start : start + FRAME])
            self.statistics.received += 1
        for event in self.after_speech:
            self.tell(event)

    def stop_recording(self) -> None:
        self.sink = None


class ScriptedLeg:
    """The signalling of a scripted call."""

    call_id = "scripted@test"

    def __init__(self, answers: bool = True) -> None:
        self.answers, self.answered, self.hung_up = answers, False, False
        self.transfers = False
        self.rejected_with = 0
        self.transferred_to: list[str] = []
        self.stream: Any = None
        self.post: Callable[[Event], None] = lambda event: None

    def answer(self) -> bool:
        self.answered = self.answers
        return self.answers

    def reject(self, status: int) -> None:
        self.rejected_with = status
        self.post(Ended("we hung up"))

    def transfer(self, target: str) -> bool:
        """As the PBX does where it takes REFER (transfers = True), or declines it."""
        self.transferred_to.append(target)
        if self.transfers:
            self.post(Ended("transferred"))
        return self.transfers

    def hangup(self) -> None:
        self.hung_up = True
        self.post(Ended("we hung up"))


def scripted_call(writer: SpoolWriter, **script: Any) -> tuple[Call, ScriptedLeg, ScriptedStream]:
    """A call whose caller follows the script (see ScriptedStream)."""
    leg = ScriptedLeg(script.pop("answers", True))
    call = Call(leg, CallFacts(leg.call_id, "2000", "Bob", ("1001",)), writer)
    leg.post = call.post
    leg.stream = ScriptedStream(call.post, **script)
    return call, leg, leg.stream


class Committed:
    """A committer that notes what it is asked to save or to adopt, and says so or not."""

    def __init__(self, answer: bool = True) -> None:
        self.answer, self.saved, self.adopted = answer, list[str](), list[str]()

    def save(self, take_id: str, seconds: float = 2.0) -> bool:
        self.saved.append(take_id)
        return self.answer

    def adopt(self, take_id: str) -> None:
        self.adopted.append(take_id)


HANG_UP = Ended("caller hung up")
POUND = Digit("#")


def break_next_sync(patch: pytest.MonkeyPatch) -> None:
    """The spool's folder cannot be synced the next time; what comes before that is done."""
    sync = spool._sync_folder

    def broken(_folder: Path) -> None:
        patch.setattr(spool, "_sync_folder", sync)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    patch.setattr(spool, "_sync_folder", broken)


def files(folder: Path) -> list[str]:
    """Kinds of files in the spool, sorted."""
    return sorted(path.suffix for path in folder.iterdir())
