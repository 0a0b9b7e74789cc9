"""A caller leaves a message: every branch, written down like a screenplay, in every language, and hung up on."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from app.config import LANGUAGES
from tests.calls.application import Application
from tests.calls.screenplay import Play
from tests.calls.scripted import Committed
from tests.plays.leaving import PLAYS, LeavingText
from voice import spool
from voice.call import Call
from voice.errors import CallEnded
from voice.flows.leave_message import leave_message
from voice.flows.outcome import Outcome
from voice.flows.talk import Desk
from voice.mailbox import MailboxFacts
from voice.media.recorder import SpoolWriter
from voice.takes import TakeRules, Takes

NAMES = sorted(PLAYS)


class Stage:
    """One performance of a play, and the spool after it."""

    def __init__(self, folder: Path, text: LeavingText, language: str, hang_up_at: int = 0) -> None:
        self.folder, self.text, self.committed = folder / f"spool {hang_up_at}", text, Committed()
        self.mailbox = MailboxFacts("box-1001", "1001", "Alice", language, "UTC", **text.mailbox)
        self.play = Play(text.text, Application(folder / "sounds", language), folder, language, hang_up_at)
        self.outcome: Outcome | None = None

    def perform(self, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch) -> None:
        self.play.perform(writer, monkeypatch, self._flow)

    def _flow(self, call: Call, desk: Desk) -> None:
        call.facts = replace(call.facts, reason=self.text.reason)
        takes = Takes(self.folder, TakeRules(min_speech=0.8, min_duration=0.0), self.committed)
        login = self.text.login
        may_log_in = None if login is None else lambda: login
        try:
            self.outcome = leave_message(call, self.mailbox, desk.prompts, takes, desk.limits, may_log_in, desk.now)
        except CallEnded:
            # Before anything was said.
            assert self.messages() == []

    def messages(self) -> list[spool.Sidecar]:
        """Takes that are messages; every one has been given to be committed."""
        found = [spool.read(self.folder, take_id) for take_id in spool.listing(self.folder)]
        assert {take.state for take in found} <= {spool.COMPLETE, spool.DISCARDED}
        assert sorted(take.id for take in found) == sorted(self.committed.saved)
        assert self.committed.adopted == []
        return [take for take in found if take.state == spool.COMPLETE]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_a_play(name: str, language: str, tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PLAYS[name]
    stage = Stage(tmp_path, text, language)
    stage.perform(writer, monkeypatch)
    messages = stage.messages()
    assert stage.outcome is not None
    assert stage.outcome.ended_by == text.left
    assert stage.outcome.message == (messages[0].id if text.messages else "")
    assert [message.urgent for message in messages] == [text.urgent] * text.messages
    assert tuple(stage.play.transfers) == text.transfers
    # The log-in goes on with the call; who is transferred, or has hung up, is gone.
    goes_on_or_gone = text.left in ("log in", "transferred") or "hangs up" in text.text
    assert stage.play.leg.hung_up == (not goes_on_or_gone)


@pytest.mark.parametrize("name", NAMES)
def test_a_hang_up_at_every_step(
    name: str, tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was said is lost, and nothing is left open."""
    before, step, spoken = set(threading.enumerate()), 0, False
    while True:
        step += 1
        stage = Stage(tmp_path, PLAYS[name], "en", step)
        stage.perform(writer, monkeypatch)
        count = len(stage.messages())
        assert count >= spoken, step
        spoken = count > 0
        assert all(path.suffix in (".wav", ".json") for path in stage.folder.glob("*")), step
        if stage.play.steps < step:
            break
    assert step > 1
    assert set(threading.enumerate()) == before


def test_the_mailboxs_own_limits_count(tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    text = replace(PLAYS["recording: a word"], text="""
        SYSTEM greeting_default
        SYSTEM <beep>
        CALLER says a word, presses #
        SYSTEM <confirmation>
        SYSTEM message_too_long
        """, mailbox={"min_speech": 0.2, "max_duration": 0.5})  # fmt: skip
    stage = Stage(tmp_path, text, "en")
    stage.perform(writer, monkeypatch)
    [message] = stage.messages()
    assert message.duration == 0.5
