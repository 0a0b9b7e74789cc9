"""A held take: recorded again, marked as urgent, kept; and killed at one line after the other meanwhile."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.config import PROJECT_ROOT
from tests.calls.scripted import Committed, break_next_sync, files, scripted_call
from tests.killing import killed_at
from tests.peers.instance import Instance
from voice import retakes, spool
from voice.errors import SpoolError
from voice.events import Digit
from voice.flows.conversation import Conversation
from voice.flows.review import review
from voice.mailbox import MailboxFacts
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.media.recorder import SpoolWriter
from voice.media.wav import HEADER_SIZE
from voice.prompts import BUILT_IN, Prompts
from voice.store import Store
from voice.takes import Take, TakeRules, Takes
from voice.verbs import Record

EXTENSION = "7001"
FIRST, SECOND, THIRD = (
    g711.encode(wav.read_prompt(BUILT_IN / "en" / f"{name}.wav"), Law.PCMU)[: 160 * frames]
    for name, frames in (("test_message", 100), ("goodbye", 60), ("not_available", 120))
)
SILENCE = Law.PCMU.silence(8000)
TRACED = tuple(str(PROJECT_ROOT / path) for path in ("voice/takes.py", "voice/retakes.py", "voice/spool.py"))
STRIDE = int(os.environ.get("TEST_KILL_STRIDE", "5"))
"""Every 5th line takes some seconds."""


class Caller:
    """A call that says one thing after the other into the same take."""

    def __init__(self, folder: Path, writer: SpoolWriter, mailbox_id: str = "box") -> None:
        self.call, _, self.stream = scripted_call(writer, after_speech=(Digit("#"),))
        self.committed = Committed()
        self.mailbox = MailboxFacts(mailbox_id, EXTENSION, "Alice", "en", "UTC")
        self.takes = Takes(folder, TakeRules(min_speech=0.2, min_duration=0.0), self.committed)

    def says(self, sound: bytes, path: Path) -> Any:
        self.stream.speech = sound
        return Record(path).run(self.call)

    def reviews(self, *again: bytes, urgent: bool = False) -> Take:
        """Say the first, then each of the others in its place; keep the last."""
        with self.takes.begin(self.call, self.mailbox) as take:
            take.hold(self.says(FIRST, take.path))
            if urgent:
                take.mark_urgent(True)
            for sound in again:
                take.retake(self.says(sound, take.retake_path))
            take.keep()
        return take


def audio(path: Path) -> bytes:
    data = path.read_bytes()
    assert data[:HEADER_SIZE] == wav.header(Law.PCMU, len(data) - HEADER_SIZE)
    return data[HEADER_SIZE:]


def test_a_held_take_is_complete_and_no_message_yet(tmp_path: Path, writer: SpoolWriter) -> None:
    caller = Caller(tmp_path, writer)
    with caller.takes.begin(caller.call, caller.mailbox) as take:
        take.hold(caller.says(FIRST, take.path))
        assert spool.read(tmp_path, take.id).state == spool.COMPLETE
        assert caller.committed.saved == []
        with spool.adopted(tmp_path, take.id) as entry:
            assert entry is None, "the call still owns it"
        take.keep()
        take.keep()
    assert caller.committed.saved == [take.id]
    assert caller.committed.adopted == []


@pytest.mark.parametrize("again", [(SECOND,), (THIRD, SECOND), (SECOND, SILENCE)])
def test_the_last_that_was_said_is_the_message(tmp_path: Path, writer: SpoolWriter, again: tuple[bytes, ...]) -> None:
    take = Caller(tmp_path, writer).reviews(*again)
    sidecar = spool.read(tmp_path, take.id)
    assert audio(take.path) == SECOND
    assert (sidecar.size, sidecar.duration) == (HEADER_SIZE + len(SECOND), round(len(SECOND) / 8000, 3))
    assert not sidecar.again
    assert files(tmp_path) == [".json", ".wav"]


@pytest.mark.parametrize("again", [(), (SECOND,), (SILENCE,)])
def test_urgent_stays_urgent(tmp_path: Path, writer: SpoolWriter, again: tuple[bytes, ...]) -> None:
    take = Caller(tmp_path, writer).reviews(*again, urgent=True)
    assert spool.read(tmp_path, take.id).urgent


def test_a_call_that_fails_in_the_review_gives_its_take_to_the_keeper(tmp_path: Path, writer: SpoolWriter) -> None:
    caller = Caller(tmp_path, writer)
    with suppress(RuntimeError), caller.takes.begin(caller.call, caller.mailbox) as take:
        take.hold(caller.says(FIRST, take.path))
        raise RuntimeError("a fault")
    assert (caller.committed.saved, caller.committed.adopted) == ([], [take.id])
    with spool.adopted(tmp_path, take.id) as entry:
        assert entry is not None


def test_a_recording_that_cannot_be_moved_into_place_is_not_lost(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(tmp_path, writer)

    def broken(_recording: Path) -> None:
        raise OSError(5, "the disk is broken")

    with suppress(OSError), caller.takes.begin(caller.call, caller.mailbox) as take:
        take.hold(caller.says(FIRST, take.path))
        recorded = caller.says(SECOND, take.retake_path)
        monkeypatch.setattr(retakes, "settle", broken)
        take.retake(recorded)
    assert caller.committed.adopted == [take.id]
    assert spool.read(tmp_path, take.id).again
    monkeypatch.undo()
    retakes.settle(take.path)
    assert audio(take.path) == SECOND


def test_a_full_disk_leaves_the_take_before(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(tmp_path, writer)

    def full(*_: Any) -> int:
        raise OSError(28, "no space left on the device")

    with caller.takes.begin(caller.call, caller.mailbox) as take:
        take.hold(caller.says(FIRST, take.path))
        recorded = caller.says(SECOND, take.retake_path)
        with monkeypatch.context() as patch:
            patch.setattr(spool, "_write", full)
            with pytest.raises(SpoolError):
                take.retake(recorded)
            with pytest.raises(SpoolError):
                take.mark_urgent(True)
        assert take.path.with_suffix(".again.wav").exists()
        take.keep()
    assert audio(take.path) == FIRST
    assert not take.path.with_suffix(".again.wav").exists()
    assert caller.committed.saved == [take.id]


def test_a_sidecar_that_cannot_be_synced_is_what_the_call_goes_on_with(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = Instance(tmp_path / "instance")
    instance.mailbox(EXTENSION)
    store, folder = Store(instance.settings), instance.settings.spool_dir
    caller = Caller(folder, writer, store.find_mailbox([EXTENSION]).id)  # type: ignore[union-attr]
    with caller.takes.begin(caller.call, caller.mailbox) as take:
        take.hold(caller.says(FIRST, take.path))
        recorded = caller.says(SECOND, take.retake_path)
        break_next_sync(monkeypatch)
        with pytest.raises(SpoolError):
            take.retake(recorded)
        assert store.reconcile() == 0, "the call still owns it"
        assert audio(take.listen_path) == SECOND
        break_next_sync(monkeypatch)
        with pytest.raises(SpoolError):
            take.mark_urgent(True)
        assert store.reconcile() == 0, "the call still owns it"
        take.keep()
    assert caller.committed.saved == [take.id]
    assert store.save(take.id)
    message = instance.message(EXTENSION)
    assert audio(take.path) == SECOND
    assert message.duration == pytest.approx(len(SECOND) / 8000)
    assert (message.size, message.sha256) == (take.path.stat().st_size, wav.sha256_of(take.path))
    assert message.urgent is take.urgent is True


def test_who_listens_hears_what_will_be_the_message(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(tmp_path, writer)
    talk = Conversation(caller.call, Prompts("en"), "en")
    with caller.takes.begin(caller.call, caller.mailbox) as take:
        take.hold(caller.says(FIRST, take.path))
        recorded = caller.says(SECOND, take.retake_path)
        break_next_sync(monkeypatch)
        with pytest.raises(SpoolError):
            take.retake(recorded)
        # The menu, what was said, the menu.
        caller.stream.on_play = {1: (Digit("2"),), 3: (Digit("1"),)}
        review(talk, take, Record(take.path))
        take.keep()
    assert caller.stream.played[1] == audio(take.path) == SECOND


def test_the_next_attempt_comes_after_one_whose_sidecar_could_not_be_synced(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(tmp_path, writer)
    with caller.takes.begin(caller.call, caller.mailbox) as take:
        take.hold(caller.says(FIRST, take.path))
        recorded = caller.says(SECOND, take.retake_path)
        break_next_sync(monkeypatch)
        with pytest.raises(SpoolError):
            take.retake(recorded)
        assert not take.retake(caller.says(SILENCE, take.retake_path))
        take.keep()
    assert audio(take.path) == SECOND
    assert spool.read(tmp_path, take.id).size == HEADER_SIZE + len(SECOND)


@pytest.mark.parametrize("held", [True, False])
def test_a_take_whose_last_sidecar_cannot_be_synced_is_adopted_at_once(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    caller = Caller(tmp_path, writer)
    with suppress(SpoolError), caller.takes.begin(caller.call, caller.mailbox) as take:
        recorded = caller.says(FIRST, take.path)
        break_next_sync(monkeypatch)
        if held:
            take.hold(recorded)
        else:
            take.finish(recorded)
    assert (caller.committed.saved, caller.committed.adopted) == ([], [take.id])
    assert spool.read(tmp_path, take.id).state == spool.COMPLETE


# -- kill -9


def _performance(folder: Path, mailbox_id: str) -> None:
    writer = SpoolWriter()
    writer.start()
    Caller(folder, writer, mailbox_id).reviews(SECOND, THIRD, urgent=True)


@pytest.mark.slow
def test_exactly_one_recording_is_the_message_wherever_the_kill_comes(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "instance")
    instance.mailbox(EXTENSION)
    store, folder = Store(instance.settings), instance.settings.spool_dir
    mailbox_id = store.find_mailbox([EXTENSION]).id  # type: ignore[union-attr]
    seen, known, killed = set[bytes](), set[str](), True
    for line in range(1, 10_000, STRIDE):
        killed = killed_at(line, lambda: _performance(folder, mailbox_id), TRACED)
        folder.mkdir(exist_ok=True)
        store.reconcile()
        new = [message for message in instance.messages(EXTENSION) if message.id not in known]
        # Before the first recording is whole there may be none.
        assert len(new) == 1 or not seen, line
        assert len(new) <= 1, line
        for message in new:
            path = folder / f"{message.id}.wav"
            said = audio(path)
            assert said in (FIRST, SECOND, THIRD), line
            assert (message.size, message.sha256) == (path.stat().st_size, wav.sha256_of(path)), line
            assert message.duration == pytest.approx(len(said) / 8000), line
            # Half a sidecar is swept a minute later.
            assert set(files(folder)) <= {".json", ".wav", ".part"}, line
            assert len(list(folder.glob("*.wav"))) == 1, line
            assert message.urgent or said == FIRST, line
            seen.add(said)
            known.add(message.id)
        for path in folder.iterdir():
            path.unlink()
        if not killed:
            break
    assert not killed
    assert seen == {FIRST, SECOND, THIRD}
    assert line > 100
