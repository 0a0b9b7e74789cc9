"""Recordings of programmed calls: safe from the first frame on, known before anybody is told of them."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from app.account import Account
from app.extensions import db
from app.models import Call, Delivery, Recording
from app.services import recorded_audio
from app.services import recordings as service
from bench import signals
from tests.calls.scripted import HANG_UP, POUND, break_next_sync, scripted_call
from tests.peers.instance import Instance
from voice import spool
from voice.errors import SpoolError
from voice.events import Event, SilenceReached
from voice.keeper import Keeper
from voice.media import wav
from voice.media.g711 import Law
from voice.media.recorder import SpoolWriter
from voice.media.wav import HEADER_SIZE
from voice.store import Store
from voice.twiml.recordings import COMMIT_SECONDS, Place, Recordings
from voice.verbs import Record

CALL_SID = "CA" + "c0" * 16
ACCOUNT = Account("AC" + "a1" * 16, "token")
SAID = signals.scaled(signals.speech("goodbye", "en"), -24)
SILENCE = np.zeros(3 * 8000)
KEPT = 4000 + 480
"""Samples that may be left after the last word: 0.5 s, and the detector's window."""


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


class Committed:
    """Notes what is saved and adopted; act runs at each save."""

    def __init__(self, act: Callable[[str], object] = lambda take_id: True) -> None:
        self.act, self.saved, self.adopted = act, list[tuple[str, float]](), list[str]()

    def save(self, take_id: str, seconds: float) -> bool:
        self.saved.append((take_id, seconds))
        return bool(self.act(take_id))

    def adopt(self, take_id: str) -> None:
        self.adopted.append(take_id)


def sent(*parts: np.ndarray) -> bytes:
    return signals.as_sent(np.concatenate(parts), Law.PCMU)


def payload(path: Path) -> bytes:
    """What a recording holds; its header is right."""
    data = path.read_bytes()
    assert data[:HEADER_SIZE] == wav.header(Law.PCMU, len(data) - HEADER_SIZE)
    return data[HEADER_SIZE:]


def made(
    folder: Path,
    writer: SpoolWriter,
    says: bytes,
    event: Event,
    *,
    trim: bool = True,
    committer: Committed | None = None,
) -> tuple[str, float | None, Committed]:
    """A caller says this into a recording; its sid, its seconds and who was asked to commit it."""
    committer = committer or Committed()
    call, _, _ = scripted_call(writer, speech=says, after_speech=(event,))
    place = Place(folder, ACCOUNT, "https://vm.example.com")
    with Recordings(place, committer).begin(call, CALL_SID) as take:
        recorded = Record(take.path, finish_on="#").run(call)
        assert take.url == f"https://vm.example.com/2010-04-01/Accounts/{ACCOUNT.sid}/Recordings/{take.sid}"
        seconds = take.finish(recorded, trim)
    return take.sid, seconds, committer


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path / "instance")


@pytest.fixture
def store(instance: Instance) -> Store:
    """The door that the keeper works through."""
    return Store(instance.settings)


def known(instance: Instance) -> list[Recording]:
    """Every recording that the database has."""
    with instance.app.app_context():
        found = list(db.session.scalars(select(Recording).order_by(Recording.created_at)))
        db.session.expunge_all()
        return found


@pytest.mark.parametrize("event", [SilenceReached(), HANG_UP, POUND])
def test_silence_after_the_last_word_is_cut_whatever_ended_it(
    tmp_path: Path, writer: SpoolWriter, event: Event
) -> None:
    everything = sent(SAID, SILENCE)
    sid, seconds, committed = made(tmp_path, writer, everything, event)
    [take_id] = spool.listing(tmp_path)
    sidecar, heard = spool.read(tmp_path, take_id), payload(tmp_path / f"{take_id}.wav")
    assert everything.startswith(heard)
    assert len(SAID) - 480 < len(heard) <= len(SAID) + KEPT
    assert seconds == pytest.approx(len(heard) / 8000)
    assert (sidecar.state, sidecar.recording_sid, sidecar.call_sid) == ("complete", sid, CALL_SID)
    assert (sidecar.mailbox_id, sidecar.extension, sidecar.caller_number) == ("", "1001", "2000")
    assert committed.saved == [(take_id, COMMIT_SECONDS)]
    assert committed.adopted == []


def test_a_disk_that_is_almost_full_takes_none(tmp_path: Path, writer: SpoolWriter) -> None:
    """limits.free_disk_bytes: what is left is for what runs, and for messages."""
    call, _, _ = scripted_call(writer)
    recordings = Recordings(Place(tmp_path, ACCOUNT, "", free_disk=1 << 60), Committed())
    with pytest.raises(SpoolError, match="no room"), recordings.begin(call, CALL_SID):
        pytest.fail("it was begun")
    assert list(tmp_path.iterdir()) == []


def test_without_trimming_all_of_it_stays(tmp_path: Path, writer: SpoolWriter) -> None:
    everything = sent(SILENCE, SAID, SILENCE)
    _, seconds, _ = made(tmp_path, writer, everything, SilenceReached(), trim=False)
    [take_id] = spool.listing(tmp_path)
    assert payload(tmp_path / f"{take_id}.wav") == everything
    assert seconds == pytest.approx(len(everything) / 8000)


@pytest.mark.parametrize(("says", "trim"), [(b"", False), (b"", True)])
def test_where_nothing_came_there_is_no_recording(tmp_path: Path, writer: SpoolWriter, says: bytes, trim: bool) -> None:
    _, seconds, committed = made(tmp_path, writer, says, HANG_UP, trim=trim)
    assert seconds is None
    assert list(tmp_path.iterdir()) == []
    assert (committed.saved, committed.adopted) == ([], [])


def test_silence_that_is_trimmed_is_absent_and_kept(instance: Instance, store: Store, writer: SpoolWriter) -> None:
    """The flow goes on as if nothing came; whoever looks for it finds what the detector of speech heard nothing in."""
    folder, everything = instance.settings.spool_dir, sent(SILENCE)
    sid, seconds, _ = made(folder, writer, everything, HANG_UP, committer=Committed(store.save))
    assert seconds is None
    [row] = known(instance)
    assert (row.sid, row.status, row.duration) == (sid, "absent", pytest.approx(len(everything) / 8000))
    assert payload(folder / f"{row.take_id}.wav") == everything


def test_what_a_block_does_not_finish_is_adopted_at_once(tmp_path: Path, writer: SpoolWriter) -> None:
    committed = Committed()
    call, _, _ = scripted_call(writer, speech=sent(SAID), after_speech=(POUND,))
    with suppress(Killed), Recordings(Place(tmp_path, ACCOUNT, ""), committed).begin(call, CALL_SID) as take:
        Record(take.path).run(call)
        raise Killed
    assert committed.adopted == spool.listing(tmp_path)
    assert len(committed.adopted) == 1


def test_one_whose_last_sidecar_cannot_be_synced_is_adopted_at_once(
    tmp_path: Path, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed = Committed()
    call, _, _ = scripted_call(writer, speech=sent(SAID), after_speech=(POUND,))
    with suppress(SpoolError), Recordings(Place(tmp_path, ACCOUNT, ""), committed).begin(call, CALL_SID) as take:
        recorded = Record(take.path).run(call)
        break_next_sync(monkeypatch)
        take.finish(recorded, trim=True)
    assert (committed.saved, committed.adopted) == ([], spool.listing(tmp_path))
    assert [spool.read(tmp_path, take_id).state for take_id in committed.adopted] == [spool.COMPLETE]


def test_a_block_that_records_nothing_leaves_nothing(tmp_path: Path, writer: SpoolWriter) -> None:
    committed = Committed()
    call, _, _ = scripted_call(writer)
    with Recordings(Place(tmp_path, ACCOUNT, ""), committed).begin(call, CALL_SID):
        pass
    assert (list(tmp_path.iterdir()), committed.adopted) == ([], [])


def test_the_row_is_there_when_the_call_goes_on(instance: Instance, store: Store, writer: SpoolWriter) -> None:
    folder = instance.settings.spool_dir
    sid, seconds, _ = made(folder, writer, sent(SAID), POUND, committer=Committed(store.save))
    [row] = known(instance)
    assert (row.sid, row.status, row.source, row.duration) == (sid, "completed", "RecordVerb", seconds)
    assert (row.spool_host, row.storage_key) == (instance.settings.host_name, None)
    path = folder / f"{row.take_id}.wav"
    assert (row.size, row.sha256) == (path.stat().st_size, wav.sha256_of(path))
    with instance.app.app_context():
        call = db.session.get_one(Call, CALL_SID)
        assert (call.caller, call.called, call.status, call.direction) == ("2000", "1001", "in-progress", "inbound")
        [upload] = db.session.scalars(select(Delivery)).all()
        assert (upload.kind, upload.recording_sid, upload.mailbox_id, upload.message_id) == ("upload", sid, None, None)
        assert upload.target == instance.settings.host_name
        heard = b"".join(recorded_audio.open_audio(service.get(sid)).blocks())
    assert heard == path.read_bytes()


def test_saved_and_adopted_over_and_over_it_is_one(instance: Instance, store: Store, writer: SpoolWriter) -> None:
    sid, _, committed = made(instance.settings.spool_dir, writer, sent(SAID), POUND)
    [(take_id, _)] = committed.saved
    assert store.reconcile() == 1
    assert store.save(take_id)
    assert store.reconcile() == 0
    assert [row.sid for row in known(instance)] == [sid]
    with instance.app.app_context():
        assert db.session.query(Delivery).count() == 1


def test_a_database_that_refuses_it_is_said_in_a_sentence(
    instance: Instance, store: Store, writer: SpoolWriter
) -> None:
    folder = instance.settings.spool_dir
    entry = spool.SpoolEntry.begin(
        folder, mailbox_id="", extension="", caller_number="", caller_name="", call_id="", started_at="never",
        law="pcmu", recording_sid="RE" + "0" * 32, call_sid=CALL_SID,
    )  # fmt: skip
    entry.wav.write_bytes(wav.header(Law.PCMU, 160) + bytes(160))
    entry.finish(spool.COMPLETE, duration=0.02, speech=0.0, size=HEADER_SIZE + 160, ended_by="key")
    with pytest.raises(SpoolError, match="says no time"):
        store.save(entry.id)
    entry.close()


def test_a_crash_in_the_middle_keeps_what_there_is_even_without_a_word(
    instance: Instance, store: Store, writer: SpoolWriter
) -> None:
    call, _, _ = scripted_call(writer)
    take = Recordings(Place(instance.settings.spool_dir, ACCOUNT, ""), Committed()).begin(call, CALL_SID)
    begun = take.__enter__()
    silence = Law.PCMU.silence(8000)
    # As a worker that was killed leaves it: a header that says nothing of what follows.
    begun.path.write_bytes(wav.header(Law.PCMU, 0) + silence)
    begun._entry.close()
    assert store.reconcile() == 1
    [row] = known(instance)
    assert (row.sid, row.duration, row.status) == (begun.sid, 1.0, "completed")
    assert payload(begun.path) == silence


def test_sids_go_together_and_old_sidecars_have_none(tmp_path: Path) -> None:
    facts = dict.fromkeys(("mailbox_id", "extension", "caller_number", "caller_name", "call_id", "started_at"), "x")
    entry = spool.SpoolEntry.begin(tmp_path, law="pcmu", **facts)
    assert (entry.sidecar.recording_sid, entry.sidecar.call_sid) == ("", "")
    path = tmp_path / f"{entry.id}.json"
    text = path.read_text()
    old = text.replace('"recording_sid": "", "call_sid": "", ', "")
    assert old != text
    assert spool.Sidecar.parse(old) == entry.sidecar
    for sids in (("RE" + "0" * 32, ""), ("", CALL_SID), ("RE../../x", CALL_SID), ("RE" + "0" * 32, "CA1")):
        wrong = text.replace(
            '"recording_sid": "", "call_sid": ""', '"recording_sid": "{}", "call_sid": "{}"'.format(*sids)
        )
        assert wrong != text
        with pytest.raises(SpoolError, match="go together"):
            spool.Sidecar.parse(wrong)
    entry.drop()


SYSTEM_CALLS = ("fsync", "pwrite", "ftruncate", "rename", "open", "write")


@pytest.mark.parametrize("fault", [Killed(), OSError(errno.ENOSPC, "No space left on device")], ids=["kill", "disk"])
def test_a_kill_and_a_full_disk_at_any_line_lose_nothing(
    instance: Instance, store: Store, writer: SpoolWriter, fault: BaseException
) -> None:
    """At each system call of the end in turn; what the reconciler makes of it holds every word."""
    everything = sent(SAID, SILENCE)
    folder, seen, number = instance.settings.spool_dir, set[str](), 0
    while fails_at(number, fault, folder, writer, everything):
        store.reconcile()
        row = known(instance)[-1]
        path = folder / f"{row.take_id}.wav"
        heard = payload(path)
        assert (row.size, row.sha256) == (path.stat().st_size, wav.sha256_of(path)), number
        assert row.duration == pytest.approx(len(heard) / 8000, abs=0.001)
        assert everything.startswith(heard)
        assert len(heard) > len(SAID) - 480, number
        seen.add("whole" if heard == everything else "cut")
        for left in (path, path.with_suffix(".json")):
            left.unlink()
        number += 1
    assert number > 5
    assert seen == {"cut", "whole"}


def fails_at(number: int, fault: BaseException, folder: Path, writer: SpoolWriter, everything: bytes) -> bool:
    """Make a recording and meet the fault at that system call of its end; False where it has fewer."""
    calls = [0]

    def counted(call: Any) -> Any:
        def counting(*arguments: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == number + 1:
                raise fault
            return call(*arguments, **options)

        return counting

    call, _, _ = scripted_call(writer, speech=everything, after_speech=(SilenceReached(),))
    with pytest.MonkeyPatch.context() as patch, suppress(Killed, SpoolError):
        with Recordings(Place(folder, ACCOUNT, ""), Committed()).begin(call, CALL_SID) as take:
            recorded = Record(take.path).run(call)
            # It is whole and on disk by now.
            for name in SYSTEM_CALLS:
                patch.setattr(os, name, counted(getattr(os, name)))
            take.finish(recorded, True)
    return calls[0] > number


def test_the_keeper_saves_it(instance: Instance, writer: SpoolWriter) -> None:
    ours, theirs = socket.socketpair()
    keeper = Keeper(instance.settings, theirs)
    sid, _, committed = made(instance.settings.spool_dir, writer, sent(SAID), POUND)
    [(take_id, _)] = committed.saved
    assert keeper._answer({"ask": "save", "take": take_id}) is True
    assert [row.sid for row in known(instance)] == [sid]
    ours.close()
    theirs.close()
