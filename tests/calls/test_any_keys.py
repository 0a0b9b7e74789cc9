"""Whatever an owner presses, whenever, and whatever happens meanwhile: the call goes on or ends, and nothing breaks."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from tests.calls.application import Application
from tests.calls.screenplay import SPOKEN, Play
from voice.call import Call
from voice.errors import CallEnded
from voice.events import Digit, Event, SilenceReached, Spoke
from voice.flows.check_messages import check_messages
from voice.flows.talk import Desk
from voice.mailbox import MailboxFacts
from voice.media.recorder import SpoolWriter
from voice.owner import Messages

PRESSED = (
    *"1234567890" * 4,
    *"**#",
    "D",
    "A1#",
    "11",
    "123",
    "13#",
    "1001#",
    "4711#",
    "1002#",
    "####",
    "***",
    "2468#2468#",
)
PATIENCE = 400
"""Steps after which the owner hangs up."""
EVENTS = ("the store leaves", "the store returns", "the keeper leaves", "the keeper returns", "m2 breaks")


class AnyKeys(Play):
    """A play without a text: chance says what the owner does."""

    chance: random.Random

    def said(self, text: str) -> None:
        self.chance.random()

    def recording(self) -> tuple[bytes, Event]:
        ends = self.chance.choice((SilenceReached(), Digit("#")))
        return self.chance.choice((SPOKEN, b"", b"\xff" * 1600)), ends

    def acts(self, timed: bool) -> bool:
        if self.steps > PATIENCE:
            self._hang_up()
            return True
        if self.chance.random() < 0.02:
            self.application.happens(self.chance.choice(EVENTS))
        if self._stream.token is not None and self.chance.random() < 0.7:
            self._stream.end()
        elif timed and self.chance.random() < 0.1:
            return False
        elif self._stream.hears_speech and self.chance.random() < 0.1:
            self._call.post(Spoke())
        else:
            for key in self.chance.choice(PRESSED):
                self._call.post(Digit(key))
        return True


@pytest.mark.parametrize("seed", range(30))
def test_nothing_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    threads = set(threading.enumerate())
    application = Application(tmp_path / "sounds")
    application.box.trusting = True
    application.set(operator="9" if seed % 2 else "")
    for number in range(1, 6):
        application.add(f"m{number}", Messages.SAVED if number > 3 else Messages.NEW, urgent=number == 2)
    play = AnyKeys("", application, tmp_path / "recordings")
    play.chance = random.Random(seed)

    def flow(call: Call, desk: Desk) -> None:
        try:
            check_messages(call, desk, MailboxFacts("box-1001", "1001", "Alice", "en", "UTC"), own_phone=True)
        except CallEnded:
            return
        assert call.ended

    writer = SpoolWriter()
    writer.start()
    try:
        play.perform(writer, monkeypatch, flow)
    finally:
        writer.stop()
    assert {f"m{number}" for number in range(1, 6)} <= set(application.box.messages)
    assert not list((tmp_path / "recordings").glob("*"))
    assert set(threading.enumerate()) == threads
