"""Uploads on every database: what is in the store, the spool and the row, however the attempt goes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event, update

from app.delivery import upload
from app.extensions import db
from app.jobs import run
from app.models import Message
from app.models.base import utc_now
from app.services import outbox
from app.storage import MissingObject, message_key, open_store
from app.storage.local import LocalStore
from tests.jobs.owed import CONTENT, lapse, make_due, message_of, owe, row, settings_of, tune
from tests.support import until


def spool_files(app: Flask, message_id: str) -> list[Path]:
    return sorted(settings_of(app).spool_dir.glob(f"{message_id}*"))


def stored(app: Flask, message_id: str) -> bytes | None:
    message = message_of(app, message_id)
    try:
        return b"".join(open_store(settings_of(app)).open(message_key(message.mailbox_id, message.id)).blocks())
    except MissingObject:
        return None


def purge(app: Flask, message_id: str) -> None:
    """The tombstone, as a purge in the middle of an upload leaves it."""
    with app.app_context():
        db.session.execute(update(Message).where(Message.id == message_id).values(purged_at=utc_now()))
        db.session.commit()


def deliver(app: Flask, message_id: str) -> None:
    delivery_id = row(app, message_id).id
    with app.app_context():
        run.deliver(delivery_id)


def during_put(monkeypatch: pytest.MonkeyPatch, act) -> None:
    """Call act() once, after the object is in the store and before the row says so."""
    real, acts = LocalStore.put, [act]

    def put(self: LocalStore, *args: object, **kw: object) -> None:
        real(self, *args, **kw)
        while acts:
            acts.pop()()

    monkeypatch.setattr(LocalStore, "put", put)


def test_the_recording_moves_from_the_spool_to_the_store(any_app):
    message_id = owe(any_app)
    deliver(any_app, message_id)
    message = message_of(any_app, message_id)
    assert (message.spool_host, message.storage_key) == (None, message_key(message.mailbox_id, message_id))
    assert stored(any_app, message_id) == CONTENT
    assert spool_files(any_app, message_id) == []
    assert row(any_app, message_id).state == "done"


def test_the_object_tells_whose_message_it_is(any_app):
    message_id = owe(any_app)
    deliver(any_app, message_id)
    message = message_of(any_app, message_id)
    facts = open_store(settings_of(any_app)).stat(message.storage_key)
    assert (facts.size, facts.sha256, facts.content_type) == (message.size, message.sha256, message.content_type)
    assert facts.metadata["mailbox_id"] == message.mailbox_id
    assert facts.metadata["caller_name"] == "Zoë 王"
    assert facts.metadata["received_at"] == message.received_at.isoformat()


def test_a_kill_after_the_object_and_before_the_commit_is_made_good(any_app, monkeypatch):
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    message_id = owe(any_app)
    during_put(monkeypatch, die)
    with pytest.raises(Killed):
        deliver(any_app, message_id)
    assert row(any_app, message_id).state == "running"
    assert len(spool_files(any_app, message_id)) == 2
    lapse(any_app, row(any_app, message_id).id)
    deliver(any_app, message_id)
    assert (row(any_app, message_id).state, row(any_app, message_id).attempts) == ("done", 2)
    assert stored(any_app, message_id) == CONTENT
    assert spool_files(any_app, message_id) == []


def test_a_spool_file_that_is_gone_is_no_fault_when_the_store_has_it(any_app):
    message_id = owe(any_app)
    message, settings = message_of(any_app, message_id), settings_of(any_app)
    wav = settings.spool_dir / f"{message_id}.wav"
    key = message_key(message.mailbox_id, message_id)
    open_store(settings).put(key, wav, sha256=message.sha256, metadata={})
    wav.unlink()
    deliver(any_app, message_id)
    assert row(any_app, message_id).state == "done"
    assert message_of(any_app, message_id).storage_key == key
    assert spool_files(any_app, message_id) == []


def test_the_same_without_the_facts_of_the_object(any_app):
    message_id = owe(any_app)
    message, settings = message_of(any_app, message_id), settings_of(any_app)
    wav = settings.spool_dir / f"{message_id}.wav"
    key = message_key(message.mailbox_id, message_id)
    open_store(settings).put(key, wav, sha256=message.sha256, metadata={})
    (settings.storage.folder / "facts" / f"{key}.json").unlink()
    wav.unlink()
    deliver(any_app, message_id)
    assert row(any_app, message_id).state == "done"


def test_another_object_under_the_key_is_not_taken_for_the_recording(any_app, tmp_path):
    message_id = owe(any_app)
    message, settings = message_of(any_app, message_id), settings_of(any_app)
    (settings.spool_dir / f"{message_id}.wav").unlink()
    path = settings.storage.folder / "objects" / message_key(message.mailbox_id, message_id)
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(len(CONTENT)))
    deliver(any_app, message_id)
    tried = row(any_app, message_id)
    assert tried.state == "pending"
    assert "missing" in tried.last_error
    assert message_of(any_app, message_id).storage_key is None


def test_a_spool_file_that_is_nowhere_waits_for_a_disk_that_may_come_back(any_app):
    message_id = owe(any_app)
    wav = settings_of(any_app).spool_dir / f"{message_id}.wav"
    wav.rename(wav.with_suffix(".elsewhere"))
    deliver(any_app, message_id)
    tried = row(any_app, message_id)
    assert (tried.state, "missing" in tried.last_error) == ("pending", True)
    wav.with_suffix(".elsewhere").rename(wav)
    make_due(any_app, tried.id)
    deliver(any_app, message_id)
    assert row(any_app, message_id).state == "done"


def test_a_damaged_spool_file_fails_for_good_and_stays(any_app):
    message_id = owe(any_app)
    wav = settings_of(any_app).spool_dir / f"{message_id}.wav"
    wav.write_bytes(b"damaged")
    deliver(any_app, message_id)
    tried = row(any_app, message_id)
    assert (tried.state, "damaged" in tried.last_error) == ("failed", True)
    assert wav.read_bytes() == b"damaged"
    assert stored(any_app, message_id) is None


def test_a_store_that_is_away_is_tried_again(any_app):
    message_id = owe(any_app)
    folder = settings_of(any_app).storage.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    deliver(any_app, message_id)
    tried = row(any_app, message_id)
    assert (tried.state, "store" in tried.last_error) == ("pending", True)
    assert len(spool_files(any_app, message_id)) == 2
    folder.unlink()
    make_due(any_app, tried.id)
    deliver(any_app, message_id)
    assert row(any_app, message_id).state == "done"


def test_a_store_whose_disk_is_not_mounted_takes_nothing(any_app):
    deliver(any_app, owe(any_app))
    message_id = owe(any_app, extension="1002")
    folder = settings_of(any_app).storage.folder
    disk = folder.rename(folder.with_name("disk"))
    folder.mkdir()
    deliver(any_app, message_id)
    tried = row(any_app, message_id)
    assert (tried.state, "See that its disk is mounted" in tried.last_error) == ("pending", True)
    assert (len(spool_files(any_app, message_id)), list(folder.iterdir())) == (2, [])
    folder.rmdir()
    disk.rename(folder)
    make_due(any_app, tried.id)
    deliver(any_app, message_id)
    assert (row(any_app, message_id).state, stored(any_app, message_id)) == ("done", CONTENT)


def test_the_first_two_objects_of_a_store_may_come_at_once(any_app):
    first, second = owe(any_app), owe(any_app, extension="1002")
    engine, here, between = db.engine, threading.current_thread(), []

    def other() -> None:
        with any_app.app_context():
            deliver(any_app, first)

    def before(_connection, _cursor, statement, *_):
        """Another worker stores the first one, after this one saw no folder and before it asks for names."""
        if threading.current_thread() is here and "storage_key IS NOT NULL" in statement and not between:
            between.append(statement)
            pool.submit(other).result(20)

    event.listen(engine, "before_cursor_execute", before)
    with ThreadPoolExecutor(1) as pool:
        deliver(any_app, second)
    event.remove(engine, "before_cursor_execute", before)
    assert len(between) == 1
    assert [row(any_app, each).state for each in (first, second)] == ["done", "done"]


def test_a_new_folder_for_the_store_can_be_begun(any_app):
    deliver(any_app, owe(any_app))
    message_id = owe(any_app, extension="1002")
    folder = settings_of(any_app).storage.folder
    folder.rename(folder.with_name("old"))
    (folder / "objects").mkdir(parents=True)
    deliver(any_app, message_id)
    assert (row(any_app, message_id).state, stored(any_app, message_id)) == ("done", CONTENT)


def test_an_upload_runs_only_where_the_spool_is(any_app):
    message_id = owe(any_app, host="another-host")
    deliver(any_app, message_id)
    tried = row(any_app, message_id)
    assert (tried.state, "another-host" in tried.last_error) == ("pending", True)
    assert stored(any_app, message_id) is None
    assert len(spool_files(any_app, message_id)) == 2


def test_a_message_purged_before_its_upload_is_not_uploaded(any_app):
    message_id = owe(any_app)
    purge(any_app, message_id)
    deliver(any_app, message_id)
    assert row(any_app, message_id).state == "skipped"
    assert stored(any_app, message_id) is None
    assert spool_files(any_app, message_id) == []


def test_a_message_purged_during_its_upload_leaves_no_object(any_app, monkeypatch):
    message_id = owe(any_app)
    during_put(monkeypatch, lambda: purge(any_app, message_id))
    deliver(any_app, message_id)
    assert row(any_app, message_id).state == "skipped"
    assert message_of(any_app, message_id).storage_key is None
    assert stored(any_app, message_id) is None
    assert spool_files(any_app, message_id) == []


def test_an_upload_that_was_overtaken_writes_nothing(any_app, monkeypatch):
    message_id = owe(any_app)
    delivery_id = row(any_app, message_id).id

    def overtake() -> None:
        lapse(any_app, delivery_id)
        with any_app.app_context():
            assert outbox.claim(delivery_id) is not None

    during_put(monkeypatch, overtake)
    deliver(any_app, message_id)
    left = row(any_app, message_id)
    assert (left.state, left.fencing) == ("running", 2)
    assert message_of(any_app, message_id).storage_key is None
    assert len(spool_files(any_app, message_id)) == 2


def test_an_overtaken_upload_of_a_purged_message_removes_what_it_put_there(any_app, monkeypatch):
    message_id = owe(any_app)
    delivery_id = row(any_app, message_id).id

    def overtake_and_purge() -> None:
        lapse(any_app, delivery_id)
        with any_app.app_context():
            outbox.claim(delivery_id)
        purge(any_app, message_id)

    during_put(monkeypatch, overtake_and_purge)
    deliver(any_app, message_id)
    assert stored(any_app, message_id) is None


def test_a_spool_file_that_cannot_be_removed_does_not_undo_the_upload(any_app, monkeypatch, caplog):
    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    message_id = owe(any_app)
    monkeypatch.setattr(upload, "remove_spool", fail)
    deliver(any_app, message_id)
    assert row(any_app, message_id).state == "done"
    assert "tidying up" in caplog.text


def test_an_upload_that_nobody_thought_of_is_tried_again_with_the_reason(any_app, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("odd")

    message_id = owe(any_app)
    monkeypatch.setattr(LocalStore, "put", fail)
    deliver(any_app, message_id)
    tried = row(any_app, message_id)
    assert (tried.state, tried.last_error) == ("pending", "ZeroDivisionError: odd")


def test_the_lease_is_renewed_while_an_upload_takes_its_time(any_app, monkeypatch):

    tune(any_app, lease_seconds=2)
    message_id = owe(any_app)

    def wait_for_renewal() -> None:
        first = row(any_app, message_id).lease_until
        until(lambda: row(any_app, message_id).lease_until > first, 20, "the lease is renewed")

    during_put(monkeypatch, wait_for_renewal)
    deliver(any_app, message_id)
    assert (row(any_app, message_id).state, row(any_app, message_id).attempts) == ("done", 1)
