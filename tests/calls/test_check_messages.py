"""An owner calls the mailbox: every branch of every flow, written down like a screenplay, in every language."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.config import LANGUAGES
from tests.calls.application import Application
from tests.calls.screenplay import SPOKEN, Play
from tests.plays import forwarding, greetings, log_in, main_menu, messages, mishaps, pin
from tests.plays.programme import PlayText
from voice.call import Call
from voice.errors import CallEnded
from voice.flows.check_messages import check_messages
from voice.flows.talk import Desk
from voice.mailbox import MailboxFacts
from voice.media import SAMPLE_RATE
from voice.media.recorder import SpoolWriter
from voice.media.wav import HEADER_SIZE
from voice.owner import GreetingChange, GreetingKind

SUBJECTS = (log_in, main_menu, messages, mishaps, forwarding, pin, greetings)
PLAYS: dict[str, PlayText] = {
    f"{subject.__name__.rpartition('.')[2]}: {name}": text
    for subject in SUBJECTS
    for name, text in subject.PLAYS.items()  # type: ignore[attr-defined]
}
NAMES = sorted(PLAYS)


@pytest.fixture
def perform(tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Play]:
    """Plays a text; the play that was performed."""

    def performed(text: PlayText, language: str, hang_up_at: int = 0) -> Play:
        application = Application(tmp_path / f"sounds {hang_up_at}", language)
        text.prepare(application)
        play = Play(text.text, application, tmp_path / "recordings", language, hang_up_at)
        play.trusted = text.trusted
        mailbox = MailboxFacts("box-1001", "1001", "Alice", language, "UTC") if text.own else None

        def flow(call: Call, desk: Desk) -> object:
            try:
                return check_messages(call, desk, mailbox, text.own_phone)
            except CallEnded:
                return None

        play.perform(writer, monkeypatch, flow)
        return play

    return performed


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NAMES)
def test_the_conversation_is_as_written(perform: Callable[..., Play], name: str, language: str) -> None:
    play = perform(PLAYS[name], language)
    PLAYS[name].check(play)
    assert play.leg.hung_up or play.transfers or "hangs up" in PLAYS[name].text


@pytest.mark.parametrize("name", NAMES)
def test_hanging_up_at_any_step_loses_nothing(perform: Callable[..., Play], tmp_path: Path, name: str) -> None:
    text = PLAYS[name]
    before = set(threading.enumerate())
    steps = perform(text, "en").steps
    for step in range(1, steps + 1):
        play = perform(text, "en", step)
        application = play.application
        # A message leaves by the owner's word or the portal's alone, and an unkept recording leaves no trace.
        deleted = {item.id for item in application.box.messages.values() if item.deleted}
        assert deleted <= {asked.removeprefix("delete ") for asked in application.asked} | text.deleted
        assert not list((tmp_path / "recordings").glob("*"))
    assert set(threading.enumerate()) == before


class MeasuringApplication(Application):
    """Notes how long greetings are."""

    seconds = 0.0

    def set_greeting(
        self, mailbox_id: str, kind: GreetingKind, recording: Path, days: int | None = None
    ) -> GreetingChange:
        self.seconds = (recording.stat().st_size - HEADER_SIZE) / SAMPLE_RATE
        return super().set_greeting(mailbox_id, kind, recording, days)


def test_a_recording_in_the_menus_ends_where_a_greeting_would_be_too_long(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = MeasuringApplication(tmp_path / "sounds")
    text = """
        OWNER  4
        SYSTEM greeting_name_is, greeting_none, menu
        OWNER  1
        SYSTEM record_name
        SYSTEM <beep>
        OWNER  says something
        SYSTEM menu
        OWNER  1
        SYSTEM greeting_kept
        SYSTEM menu
        OWNER  *
        """
    play = Play(greetings.in_greetings(text), application, tmp_path / "recordings", greeting_seconds=1.5)
    assert len(SPOKEN) > 1.5 * SAMPLE_RATE
    mailbox = MailboxFacts("box-1001", "1001", "Alice", "en", "UTC")
    play.perform(writer, monkeypatch, lambda call, desk: check_messages(call, desk, mailbox))
    assert application.seconds == 1.5
