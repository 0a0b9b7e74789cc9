"""The reconciler: what calls and crashes left in the spool becomes a message, once, or goes."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from app.extensions import db
from app.models import Delivery, Mailbox, Message
from app.services import greetings, mailboxes, messages, purge
from tests.calls.spooled import SECONDS, begun, finished
from tests.peers.instance import Instance
from tests.peers.speech import speech
from voice import sound_cache, spool, take_store
from voice.errors import SpoolError
from voice.media import g711, wav
from voice.media.g711 import Law
from voice.prompts import payload_path
from voice.store import Store

EXTENSION = "7001"
SILENCE = bytes([0xFF]) * 16_000


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """An instance with one mailbox."""
    made = Instance(tmp_path / "instance")
    made.mailbox(EXTENSION)
    return made


@pytest.fixture
def store(instance: Instance) -> Store:
    """The door that the keeper works through."""
    return Store(instance.settings)


def left(entry: spool.SpoolEntry) -> spool.SpoolEntry:
    """The call is gone, however that came."""
    entry.close()
    return entry


def files(instance: Instance) -> list[str]:
    return sorted(path.name for path in instance.settings.spool_dir.iterdir())


def test_a_complete_take_without_a_row_is_adopted_as_it_is(instance: Instance, store: Store) -> None:
    entry = left(finished(instance, EXTENSION))
    before = entry.wav.read_bytes()
    assert store.reconcile() == 1
    assert store.reconcile() == 0
    message = instance.message(EXTENSION)
    assert (message.id, message.state, message.sha256) == (entry.id, "new", entry.sidecar.sha256)
    assert message.received_at.isoformat() == "2026-11-23T10:00:00+00:00"
    assert entry.wav.read_bytes() == before
    with instance.app.app_context():
        assert db.session.query(Delivery).count() == 3


def test_a_take_that_a_crash_cut_off_is_completed(instance: Instance, store: Store) -> None:
    said = speech(SECONDS, seed=3)
    entry = left(begun(instance, EXTENSION, said))
    assert store.reconcile() == 1
    message = instance.message(EXTENSION)
    assert (message.id, message.state, message.duration) == (entry.id, "new", SECONDS)
    assert instance.spooled(message) == said
    assert wav.read_prompt(entry.wav)
    assert (message.size, message.sha256) == (entry.wav.stat().st_size, wav.sha256_of(entry.wav))
    sidecar = spool.read(instance.settings.spool_dir, entry.id)
    assert (sidecar.state, sidecar.ended_by) == (spool.COMPLETE, "crash")


def test_a_crashed_take_without_speech_is_a_discarded_one(instance: Instance, store: Store) -> None:
    left(begun(instance, EXTENSION, SILENCE))
    assert store.reconcile() == 1
    assert instance.message(EXTENSION).state == "discarded"
    assert instance.message(EXTENSION).deliveries == []


def test_a_copy_of_a_message_that_a_crash_cut_off_is_a_message(instance: Instance, store: Store) -> None:
    """However little is said in it: it was one before."""
    entry = begun(instance, EXTENSION, SILENCE, forwarded_from="a message", forwarded_by="7002")
    entry.change(urgent=True)
    left(entry)
    assert store.reconcile() == 1
    message = instance.message(EXTENSION)
    assert (message.state, message.urgent, message.forwarded_by) == ("new", True, "7002")


@pytest.mark.parametrize(("min_speech", "state"), [(0.01, "new"), (60.0, "discarded"), (None, "new")])
def test_a_crashed_take_needs_as_much_speech_as_its_mailbox_asks_for(
    instance: Instance, store: Store, min_speech: float | None, state: str
) -> None:
    with instance.app.app_context():
        db.session.execute(update(Mailbox).values(min_speech=min_speech))
        db.session.commit()
    left(begun(instance, EXTENSION, speech(SECONDS, seed=3)))
    assert store.reconcile() == 1
    assert instance.message(EXTENSION).state == state


def test_a_take_without_a_word_is_dropped(instance: Instance, store: Store) -> None:
    left(begun(instance, EXTENSION))
    left(begun(instance, EXTENSION, b""))
    headless = left(begun(instance, EXTENSION))
    headless.wav.write_bytes(wav.header(Law.PCMU, 0)[:20])
    assert store.reconcile() == 0
    assert files(instance) == []
    assert instance.messages(EXTENSION) == []


def test_what_a_call_owns_is_left_alone(instance: Instance, store: Store) -> None:
    running, ended, empty = (
        begun(instance, EXTENSION, speech(1.0, seed=4)),
        finished(instance, EXTENSION),
        begun(instance, EXTENSION),
    )
    before = files(instance)
    assert store.reconcile() == 0
    assert files(instance) == before
    assert instance.messages(EXTENSION) == []
    assert running.wav.read_bytes()[:58] == wav.header(Law.PCMU, 0)
    for entry in (running, ended, empty):
        entry.close()
    assert store.reconcile() == 2
    assert {message.id for message in instance.messages(EXTENSION)} == {running.id, ended.id}


def test_what_was_purged_stays_purged(instance: Instance, store: Store) -> None:
    entry = left(finished(instance, EXTENSION))
    store.reconcile()
    wav_bytes = entry.wav.read_bytes()
    sidecar = entry.wav.with_suffix(".json")
    text = sidecar.read_text()
    with instance.app.app_context():
        purge.purge(entry.id)
        db.session.remove()
    assert files(instance) == []
    # A backup of the spool brings the files back.
    entry.wav.write_bytes(wav_bytes)
    sidecar.write_text(text)
    assert store.reconcile() == 0
    assert files(instance) == []
    with instance.app.app_context():
        assert [message.purged_at is None for message in db.session.query(Message)] == [False]


def test_a_host_that_got_another_name_keeps_its_recordings(instance: Instance, store: Store) -> None:
    entry = left(finished(instance, EXTENSION))
    store.reconcile()
    renamed = Store(type(instance.settings)(**(vars(instance.settings) | {"host_name": "another-name"})))
    assert renamed.reconcile() == 1
    assert entry.wav.exists()
    message = instance.message(EXTENSION)
    assert message.spool_host == message.deliveries[0].target == "another-name"
    assert renamed.reconcile() == 0
    with instance.app.app_context():
        assert messages.get(entry.id).purged_at is None


def test_a_full_disk_costs_no_recording(instance: Instance, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    said = speech(SECONDS, seed=5)
    entry = left(begun(instance, EXTENSION, said))

    def full(path: Path) -> tuple[float, int]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(wav, "complete_header", full)
        assert store.reconcile() == 0
    assert entry.wav.read_bytes().endswith(said)
    assert store.reconcile() == 1
    assert instance.spooled(instance.message(EXTENSION)) == said


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"version": 99}', b'{"id": "../../etc/passwd", "version": 1}'],
    ids=["empty", "half", "list", "no text", "later version", "another id"],
)
def test_a_damaged_sidecar_is_not_in_the_way_of_others(instance: Instance, store: Store, content: bytes) -> None:
    damaged = left(finished(instance, EXTENSION))
    good = left(finished(instance, EXTENSION))
    damaged.wav.with_suffix(".json").write_bytes(content)
    assert store.reconcile() == 1
    assert instance.message(EXTENSION).id == good.id
    assert damaged.wav.exists()


@pytest.mark.parametrize("facts", [{"size": 10**30}, {"sha256": "\ud800"}], ids=["size", "text"])
def test_a_sidecar_that_no_database_takes_is_not_in_the_way_of_others(
    instance: Instance, store: Store, facts: dict[str, object]
) -> None:
    damaged = left(finished(instance, EXTENSION))
    good = left(finished(instance, EXTENSION))
    sidecar = damaged.wav.with_suffix(".json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | facts))
    os.utime(sidecar, (1, 1))
    assert store.reconcile() == 1
    assert instance.message(EXTENSION).id == good.id
    assert damaged.wav.exists()


def test_a_take_of_no_mailbox_is_not_in_the_way_of_others(instance: Instance, store: Store) -> None:
    strays = [
        left(finished(instance, EXTENSION, mailbox_id=f"0000000{n}-0000-4000-8000-000000000000")) for n in range(2)
    ]
    good = left(finished(instance, EXTENSION))
    late = left(finished(instance, EXTENSION))
    text = json.loads(late.wav.with_suffix(".json").read_text()) | {"started_at": "yesterday"}
    late.wav.with_suffix(".json").write_text(json.dumps(text))
    more = left(finished(instance, EXTENSION))
    assert store.reconcile() == 2
    assert {message.id for message in instance.messages(EXTENSION)} == {good.id, more.id}
    assert all(entry.wav.exists() for entry in (*strays, late))


@contextmanager
def held(store: Store, mailbox_ids: Collection[str]) -> Iterator[list[str]]:
    """Somebody holds the rows of these mailboxes; what waited for one of them until its time was out."""
    waited = list[str]()

    def refuse(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("UPDATE voicemail_box ") and not set(mailbox_ids).isdisjoint(parameters):
            waited.append(statement)
            raise OperationalError(statement, parameters, Exception("Lock wait timeout exceeded"))

    with store.context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield waited
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


@pytest.mark.parametrize("at_once", [1, 500])
def test_a_mailbox_whose_row_is_held_is_not_in_the_way_of_others(
    instance: Instance, store: Store, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(take_store, "AT_ONCE", at_once)
    instance.mailbox("7002")
    waiting = [left(finished(instance, EXTENSION)) for _ in range(take_store.MOST_IN_A_ROW + 1)]
    for entry in waiting:
        os.utime(entry.wav.with_suffix(".json"), (1, 1))
    good = {left(finished(instance, "7002")).id for _ in range(2)}
    with held(store, {waiting[0].sidecar.mailbox_id}) as waited:
        # The keeper hears of it, and tries again soon.
        with pytest.raises(OperationalError):
            store.reconcile()
        assert len(waited) == 1
    assert {message.id for message in instance.messages("7002")} == good
    assert instance.messages(EXTENSION) == []
    assert store.reconcile() == len(waiting)


def test_mailboxes_that_are_held_here_and_there_do_not_pass_for_a_database_that_is_away(
    instance: Instance, store: Store
) -> None:
    entries = [left(finished(instance, instance.mailbox(f"71{n:02}"))) for n in range(2 * take_store.MOST_IN_A_ROW)]
    for age, entry in enumerate(entries):
        os.utime(entry.wav.with_suffix(".json"), (age, age))
    with held(store, {entry.sidecar.mailbox_id for entry in entries[::2]}), pytest.raises(OperationalError):
        store.reconcile()
    assert [len(instance.messages(entry.sidecar.extension)) for entry in entries] == [0, 1] * take_store.MOST_IN_A_ROW


def test_a_database_that_is_away_is_not_waited_for_by_each_take(instance: Instance, store: Store) -> None:
    ids = [f"0000000{number}-0000-4000-8000-000000000000" for number in range(take_store.MOST_IN_A_ROW + 3)]
    for mailbox_id in ids:
        left(finished(instance, EXTENSION, mailbox_id=mailbox_id))
    with held(store, ids) as waited, pytest.raises(OperationalError):
        store.reconcile()
    assert len(waited) == take_store.MOST_IN_A_ROW


def test_a_take_on_a_bad_block_is_not_in_the_way_of_others(
    instance: Instance, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = (left(begun(instance, EXTENSION, speech(SECONDS, seed=seed))) for seed in (5, 6))
    os.utime(bad.wav.with_suffix(".json"), (1, 1))

    def sha256_of(path: Path) -> str:
        if path == bad.wav:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return original(path)

    original = wav.sha256_of
    with monkeypatch.context() as patch:
        patch.setattr(wav, "sha256_of", sha256_of)
        assert store.reconcile() == 1
    assert instance.message(EXTENSION).id == good.id
    assert store.reconcile() == 1


def test_a_mailbox_deleted_by_a_clock_that_was_set_back_leaves_the_snapshot(instance: Instance, store: Store) -> None:
    instance.mailbox("7002")
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    with instance.app.app_context():
        mailboxes.delete("7002", confirm="7002", actor="test")
    instance.mailbox("7003")
    assert store.all_mailboxes() is not None
    assert store.all_mailboxes() is None
    with instance.app.app_context():
        gone = {"live_extension": None, "deleted_at": long_ago, "updated_at": long_ago}
        db.session.execute(update(Mailbox).where(Mailbox.extension == "7003").values(gone))
        db.session.commit()
    facts = store.all_mailboxes()
    assert facts is not None
    assert [item.extension for item in facts] == [EXTENSION]


def test_a_greeting_that_the_store_gives_wrong_is_not_cached(instance: Instance, store: Store, tmp_path: Path) -> None:
    path = tmp_path / "greeting.wav"
    said = speech(SECONDS, seed=8)
    path.write_bytes(wav.header(Law.PCMU, len(said)) + said)
    with instance.app.app_context():
        with path.open("rb") as upload:
            key = greetings.set_greeting(EXTENSION, upload, actor="test").storage_key
        (stored,) = instance.folder.rglob(key)
    whole = stored.read_bytes()
    stored.write_bytes(whole[:-100])
    found = store.find_mailbox([EXTENSION])
    assert found is not None
    assert found.greeting is None
    cache = instance.folder / "voice" / "greetings"
    assert list(cache.iterdir()) == []
    stored.write_bytes(whole)
    found = store.find_mailbox([EXTENSION])
    assert found is not None
    assert found.greeting is not None
    assert Path(found.greeting).read_bytes() == whole


def test_a_greeting_that_was_removed_leaves_the_cache(
    instance: Instance, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.mailbox("7002")
    with instance.app.app_context():
        for extension, seed in ((EXTENSION, 8), ("7002", 9)):
            said = speech(SECONDS, seed=seed)
            upload = io.BytesIO(wav.header(Law.PCMU, len(said)) + said)
            greetings.set_greeting(extension, upload, actor="test")
    cached = {item.extension: item.greeting for item in store.all_mailboxes() or ()}
    cache = instance.folder / "voice" / "greetings"
    # Each with its payload for both laws.
    assert len(list(cache.iterdir())) == 6
    with instance.app.app_context():
        greetings.remove_greeting("7002", actor="test")
    monkeypatch.setattr(sound_cache, "YOUNG_SECONDS", 0.0)
    assert store.all_mailboxes() is not None
    left = Path(cached[EXTENSION] or "")
    assert sorted(cache.iterdir()) == sorted([left, *(payload_path(left, law) for law in Law)])
    for law in Law:
        assert payload_path(left, law).read_bytes() == g711.encode(wav.read_prompt(left), law)


def test_the_end_of_a_temporary_greeting_comes_into_the_snapshot(instance: Instance, store: Store) -> None:
    said = speech(SECONDS, seed=8)
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    with instance.app.app_context():
        upload = io.BytesIO(wav.header(Law.PCMU, len(said)) + said)
        greetings.set_greeting(EXTENSION, upload, kind="temporary", actor="test")
    assert store.all_mailboxes() is not None
    for ends_at in (tomorrow, tomorrow + timedelta(days=1), None):
        assert store.all_mailboxes() is None
        with instance.app.app_context():
            greetings.set_end(EXTENSION, ends_at, actor="test")
        facts = store.all_mailboxes()
        assert facts is not None
        assert facts[0].temporary_ends_at == (ends_at.isoformat() if ends_at else None)


def test_the_keeper_hashes_what_the_voice_worker_did_not(instance: Instance, store: Store) -> None:
    entry = begun(instance, EXTENSION, speech(SECONDS, seed=12))
    duration, size = wav.complete_header(entry.wav)
    entry.finish(spool.COMPLETE, duration=duration, speech=1.0, size=size, ended_by="key")
    assert store.save(entry.id)
    assert instance.message(EXTENSION).sha256 == wav.sha256_of(entry.wav)
    entry.close()


def test_a_finished_take_without_its_recording_is_no_message(instance: Instance, store: Store) -> None:
    entry = begun(instance, EXTENSION, speech(SECONDS, seed=13))
    entry.finish(spool.COMPLETE, duration=1.0, speech=1.0, size=8058, ended_by="key")
    entry.wav.unlink()
    with pytest.raises(SpoolError):
        store.save(entry.id)
    entry.close()
    assert store.reconcile() == 0
    assert instance.messages(EXTENSION) == []
