"""A caller leaves a message: every branch of the flow, as the caller lives it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.calls.scripted import HANG_UP, POUND, Committed, files, scripted_call
from voice import spool
from voice.errors import CallEnded
from voice.events import Digit, LimitReached, SilenceReached, ToneReached
from voice.flows.leave_message import leave_message
from voice.flows.outcome import Limits
from voice.mailbox import MailboxFacts
from voice.media import SAMPLE_RATE, g711, wav
from voice.media.g711 import Law
from voice.media.recorder import SpoolWriter
from voice.prompts import BUILT_IN, Prompts
from voice.takes import TakeRules, Takes

MAILBOX = MailboxFacts("box-id", "1001", "Alice", "en", "UTC")
LIMITS = Limits(silence_timeout=5.0, max_duration=120.0)
PROMPTS = Prompts("en")
SILENCE = b"\xff" * 8000


@pytest.fixture
def speech() -> bytes:
    return g711.encode(wav.read_prompt(BUILT_IN / "en" / "test_message.wav"), Law.PCMU)


class Stage:
    """One performance: a caller, a spool, a committer, and what came of it."""

    def __init__(self, folder: Path, writer: SpoolWriter, mailbox: MailboxFacts = MAILBOX, **script: object) -> None:
        self.folder, self.mailbox, self.committed = folder, mailbox, Committed()
        self.takes = Takes(folder, TakeRules(min_speech=0.2, min_duration=0.0), self.committed)
        self.call, self.leg, self.stream = scripted_call(writer, **script)

    def run(self) -> object:
        return leave_message(self.call, self.mailbox, PROMPTS, self.takes, LIMITS)

    def heard(self) -> list[str]:
        """Names of what was played; the moment of silence before the BYE has none."""
        names = {PROMPTS.tone(name, Law.PCMU): name for name in ("beep", "confirmation", "failure")}
        names |= {
            PROMPTS.prompt(name, "en", Law.PCMU): name
            for name in ("not_heard", "greeting_default", "nothing_recorded", "message_too_long", "not_available")
        }
        silence = set(Law.PCMU.silence(1))
        return [names.get(payload, "something else") for payload in self.stream.played if set(payload) != silence]

    def sidecar(self) -> spool.Sidecar:
        [take_id] = spool.listing(self.folder)
        return spool.read(self.folder, take_id)


@pytest.mark.parametrize(
    ("event", "ended_by"), [(POUND, "key"), (SilenceReached(), "silence"), (ToneReached("busy"), "tone")]
)
def test_a_message_is_confirmed_by_a_tone(
    tmp_path: Path, writer: SpoolWriter, speech: bytes, event: object, ended_by: str
) -> None:
    stage = Stage(tmp_path, writer, speech=speech, after_speech=(event,))
    outcome = stage.run()
    assert stage.heard() == ["greeting_default", "beep", "confirmation"]
    assert stage.leg.hung_up
    sidecar = stage.sidecar()
    assert (sidecar.state, sidecar.ended_by, sidecar.caller_number) == ("complete", ended_by, "2000")
    assert stage.committed.saved == [sidecar.id]
    assert outcome.message == sidecar.id
    # Bit for bit what the caller's phone sent.
    assert speech in (tmp_path / f"{sidecar.id}.wav").read_bytes()


def test_hanging_up_finishes_the_message(tmp_path: Path, writer: SpoolWriter, speech: bytes) -> None:
    stage = Stage(tmp_path, writer, speech=speech, after_speech=(HANG_UP,))
    stage.run()
    assert stage.heard() == ["greeting_default", "beep"]
    assert (stage.sidecar().state, stage.sidecar().ended_by) == ("complete", "hangup")
    assert stage.committed.saved == [stage.sidecar().id]


def test_the_longest_duration_is_said(tmp_path: Path, writer: SpoolWriter, speech: bytes) -> None:
    stage = Stage(tmp_path, writer, speech=speech, after_speech=(LimitReached(),))
    stage.run()
    assert stage.heard() == ["greeting_default", "beep", "confirmation", "message_too_long"]


@pytest.mark.parametrize(("own", "left", "longest"), [(None, 2.0, 2.0), (1.0, 2.0, 1.0), (1.5, None, 1.5)])
def test_a_message_is_no_longer_than_the_room_that_is_left(
    tmp_path: Path, writer: SpoolWriter, speech: bytes, own: float | None, left: float | None, longest: float
) -> None:
    assert len(speech) > 2.0 * SAMPLE_RATE
    mailbox = replace(MAILBOX, max_duration=own, seconds_left=left)
    stage = Stage(tmp_path, writer, mailbox, speech=speech)
    outcome = stage.run()
    assert (outcome.ended_by, stage.sidecar().duration) == ("limit", longest)
    assert stage.heard() == ["greeting_default", "beep", "confirmation", "message_too_long"]


def test_pound_skips_the_greeting_and_other_keys_do_not(tmp_path: Path, writer: SpoolWriter, speech: bytes) -> None:
    stage = Stage(tmp_path, writer, speech=speech, after_speech=(Digit("5"), POUND), on_play={1: (Digit("5"), POUND)})
    stage.run()
    assert stage.stream.stopped == 1
    assert stage.heard() == ["greeting_default", "beep", "confirmation"]


def test_a_pound_during_the_tone_does_not_end_the_recording_before_it_began(
    tmp_path: Path, writer: SpoolWriter, speech: bytes
) -> None:
    stage = Stage(tmp_path, writer, speech=speech, after_speech=(HANG_UP,))
    play = stage.stream.play

    def tone_with_key(payload: bytes, token: object, start: int = 0) -> None:
        if payload == PROMPTS.tone("beep", Law.PCMU):
            stage.call.post(POUND)
        play(payload, token, start)

    stage.stream.play = tone_with_key  # type: ignore[method-assign]
    stage.run()
    assert stage.sidecar().ended_by == "hangup"


@pytest.mark.parametrize("said", [SILENCE, b""])
def test_silence_is_not_a_message(tmp_path: Path, writer: SpoolWriter, said: bytes) -> None:
    stage = Stage(tmp_path, writer, speech=said, after_speech=(SilenceReached(),))
    outcome = stage.run()
    assert stage.heard() == ["greeting_default", "beep", "not_heard", "beep", "nothing_recorded"]
    assert outcome.message == ""
    if said:
        takes = [spool.read(tmp_path, take_id) for take_id in spool.listing(tmp_path)]
        assert [take.state for take in takes] == ["discarded", "discarded"]
        assert sorted(stage.committed.saved) == sorted(take.id for take in takes)
    else:
        assert files(tmp_path) == []


@pytest.mark.parametrize("playback", [1, 2])
def test_hanging_up_before_the_recording_leaves_nothing(tmp_path: Path, writer: SpoolWriter, playback: int) -> None:
    stage = Stage(tmp_path, writer, on_play={playback: (HANG_UP,)})
    with pytest.raises(CallEnded):
        stage.run()
    assert files(tmp_path) == []
    assert stage.committed.saved == []


def test_hanging_up_in_the_confirmation_keeps_the_message(tmp_path: Path, writer: SpoolWriter, speech: bytes) -> None:
    stage = Stage(tmp_path, writer, speech=speech, after_speech=(POUND,), on_play={3: (HANG_UP,)})
    outcome = stage.run()
    assert outcome.message == stage.sidecar().id


def test_a_call_cancelled_before_the_answer_records_nothing(tmp_path: Path, writer: SpoolWriter) -> None:
    stage = Stage(tmp_path, writer, answers=False)
    with pytest.raises(CallEnded):
        stage.run()
    assert stage.stream.played == []


def test_a_commit_that_takes_too_long_does_not_cost_the_tone(
    tmp_path: Path, writer: SpoolWriter, speech: bytes
) -> None:
    stage = Stage(tmp_path, writer, speech=speech, after_speech=(POUND,))
    stage.committed.answer = False
    stage.run()
    assert stage.heard()[-1] == "confirmation"
    assert stage.sidecar().state == "complete"


def test_a_spool_that_cannot_be_written_is_said_politely(tmp_path: Path, writer: SpoolWriter, speech: bytes) -> None:
    (tmp_path / "file").write_text("in the way")
    stage = Stage(tmp_path / "file", writer, speech=speech, after_speech=(POUND,))
    stage.run()
    assert stage.heard() == ["greeting_default", "not_available"]
    assert stage.leg.hung_up


@pytest.mark.parametrize("language", ["en", "zh", "ja", "es", "fr"])
def test_the_greeting_speaks_the_mailboxs_language(
    tmp_path: Path, writer: SpoolWriter, speech: bytes, language: str
) -> None:
    mailbox = MailboxFacts("box-id", "1001", "Alice", language, "UTC")
    stage = Stage(tmp_path, writer, mailbox, speech=speech, after_speech=(POUND,))
    stage.run()
    expected = g711.encode(wav.read_prompt(BUILT_IN / language / "greeting_default.wav"), Law.PCMU)
    assert stage.stream.played[0] == expected


def test_the_mailboxs_own_greeting_plays(tmp_path: Path, writer: SpoolWriter, speech: bytes) -> None:
    own = BUILT_IN / "fr" / "goodbye.wav"
    mailbox = MailboxFacts("box-id", "1001", "Alice", "en", "UTC", greetings={"unavailable": str(own)})
    stage = Stage(tmp_path, writer, mailbox, speech=speech, after_speech=(POUND,))
    stage.run()
    assert stage.stream.played[0] == g711.encode(wav.read_prompt(own), Law.PCMU)


@pytest.mark.parametrize("content", [b"", b"not a sound", b"RIFF\xff\xff\xff\xffWAVEfmt "])
def test_a_broken_greeting_gives_way_to_the_default(
    tmp_path: Path, writer: SpoolWriter, speech: bytes, content: bytes
) -> None:
    broken = tmp_path / "greeting.bin"
    broken.write_bytes(content)
    mailbox = MailboxFacts("box-id", "1001", "Alice", "en", "UTC", greetings={"unavailable": str(broken)})
    stage = Stage(tmp_path / "spool", writer, mailbox, speech=speech, after_speech=(POUND,))
    stage.run()
    assert stage.heard()[0] == "greeting_default"


@pytest.mark.parametrize("heard", [True, False])
def test_a_take_that_meets_a_fault_is_given_to_the_keeper_where_it_has_audio(
    tmp_path: Path, writer: SpoolWriter, heard: bool
) -> None:
    stage = Stage(tmp_path, writer)
    with suppress(RuntimeError), stage.takes.begin(stage.call, MAILBOX) as take:
        if heard:
            take.path.write_bytes(b"audio")
        raise RuntimeError("a fault")
    assert stage.committed.saved == []
    assert stage.committed.adopted == ([take.id] if heard else [])
    assert files(tmp_path) == ([".json", ".wav"] if heard else [])
    with spool.adopted(tmp_path, take.id) as entry:
        assert (entry is not None) == heard
