"""What is purged is gone for good, whenever the process that does it dies."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import ColumnElement, select, update

from app.errors import NotFound
from app.extensions import db
from app.models import Delivery, Event, Greeting, Mailbox, Message
from app.models.base import utc_now
from app.services import greetings, mailboxes, messages, purge
from app.services.context import settings
from app.services.spool import wav_of
from app.storage import StoreError, message_key, open_store
from tests.services.sounds import encoded, tone
from tests.services.takes import spooled, take


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


def spool_files(message_id: str) -> list[Path]:
    return sorted(settings().spool_dir.glob(f"{message_id}*"))


def stored(message_id: str) -> bool:
    """Whether the store has the audio."""
    message = row(message_id)
    return open_store(settings()).stat(message_key(message.mailbox_id, message.id)) is not None


def row(message_id: str) -> Message:
    db.session.expire_all()
    return db.session.execute(select(Message).where(Message.id == message_id)).scalar_one()


def upload(mine: messages.Take) -> None:
    """Put the audio into the store, as the delivery does, and leave the spool file."""
    import hashlib

    path = wav_of(settings(), mine.id)
    key = message_key(mine.mailbox_id, mine.id)
    open_store(settings()).put(key, path, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), metadata={})
    db.session.execute(update(Message).where(Message.id == mine.id).values(storage_key=key, spool_host=None))
    db.session.commit()


def age(message_id: str, days: int, column: str = "deleted_at") -> None:
    db.session.execute(
        update(Message).where(Message.id == message_id).values({column: utc_now() - timedelta(days=days)})
    )
    db.session.commit()


def test_nothing_remains_but_a_tombstone(box: Mailbox) -> None:
    mine = spooled(take())
    messages.save_take(mine)
    upload(mine)
    purge.purge(mine.id)
    assert spool_files(mine.id) == []
    assert not stored(mine.id)
    tombstone = row(mine.id)
    assert tombstone.purged_at is not None
    assert (tombstone.caller_number, tombstone.caller_name, tombstone.call_id) == ("", "", "")
    assert (tombstone.storage_key, tombstone.spool_host) == (None, None)
    with pytest.raises(NotFound):
        messages.get(mine.id)
    with pytest.raises(NotFound):
        messages.restore(mine.id, actor="test")


def test_a_second_purge_and_one_of_nothing_do_no_harm(box: Mailbox) -> None:
    mine = spooled(take())
    messages.save_take(mine)
    purge.purge(mine.id)
    at = row(mine.id).purged_at
    purge.purge(mine.id)
    purge.purge("no such message")
    assert row(mine.id).purged_at == at


def test_a_kill_between_tombstone_and_files_is_finished_by_the_sweep(
    box: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_spool, in_store = spooled(take()), spooled(take())
    for mine in (in_spool, in_store):
        messages.save_take(mine)
    upload(in_store)

    def killed(message_id: str) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(purge, "_remove_files", killed)
        for mine in (in_spool, in_store):
            with pytest.raises(Killed):
                purge.purge(mine.id)
    assert spool_files(in_spool.id) != []
    assert stored(in_store.id)
    assert [purge.sweep_retention() for _ in range(2)] == [2, 0]
    assert spool_files(in_spool.id) == spool_files(in_store.id) == []
    assert not stored(in_store.id)
    assert (row(in_store.id).storage_key, row(in_spool.id).spool_host) == (None, None)


def test_a_kill_between_files_and_note_is_finished_by_the_sweep(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = spooled(take())
    messages.save_take(mine)
    real = purge.remove_spool

    def killed(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(purge, "remove_spool", killed)
        with pytest.raises(Killed):
            purge.purge(mine.id)
    assert row(mine.id).spool_host is not None
    purge.sweep_retention()
    assert row(mine.id).spool_host is None


def test_a_store_that_is_away_delays_the_files_not_the_tombstone(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = spooled(take())
    messages.save_take(mine)
    upload(mine)

    class Away:
        def delete(self, key: str) -> None:
            raise StoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr(purge, "open_to_change", lambda settings: Away())
        purge.purge(mine.id)
        purge.sweep_retention()
    assert row(mine.id).purged_at is not None
    assert stored(mine.id)
    purge.sweep_retention()
    assert not stored(mine.id)


def test_a_disk_that_is_not_mounted_keeps_nothing_that_was_purged(box: Mailbox) -> None:
    mine = spooled(take())
    messages.save_take(mine)
    upload(mine)
    folder = settings().storage.folder
    disk = folder.rename(folder.with_name("disk"))
    folder.mkdir()
    purge.purge(mine.id)
    purge.sweep_retention()
    folder.rmdir()
    disk.rename(folder)
    assert stored(mine.id)
    purge.sweep_retention()
    assert not stored(mine.id)


def test_what_lies_in_another_hosts_spool_is_that_hosts_to_remove(box: Mailbox) -> None:
    mine = spooled(take(host="another-host"))
    messages.save_take(mine)
    purge.purge(mine.id)
    assert spool_files(mine.id) != []
    assert row(mine.id).spool_host == "another-host"


def test_what_was_purged_does_not_come_back(box: Mailbox) -> None:
    mine = spooled(take())
    messages.save_take(mine)
    purge.purge(mine.id)
    spooled(mine)
    messages.save_take(mine)
    assert row(mine.id).purged_at is not None
    assert row(mine.id).caller_name == ""
    assert messages.listing("1001") == ([], None)
    assert messages.known_ids([mine.id]) == {mine.id: messages.SpoolFate.STORED}
    assert len(db.session.scalars(select(Delivery)).all()) == 3


def test_the_trash_is_emptied_after_its_days(box: Mailbox) -> None:
    kept, young, old = (messages.save_take(spooled(take())).id for _ in range(3))
    messages.trash(young, actor="test")
    messages.trash(old, actor="test")
    age(young, 29)
    age(old, 31)
    assert purge.sweep_retention() == 1
    assert [row(message_id).purged_at is None for message_id in (kept, young, old)] == [True, True, False]
    assert spool_files(old) == []
    assert purge.sweep_retention() == 0


def test_what_is_taken_back_in_the_last_moment_stays(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, forgotten = (messages.save_take(spooled(take())).id for _ in range(2))
    for message_id in (wanted, forgotten):
        messages.trash(message_id, actor="test")
        age(message_id, 31)
    found = purge._ids

    def found_and_then_restored(which: ColumnElement[bool]) -> list[str]:
        ids = found(which)
        if wanted in ids:
            messages.restore(wanted, actor="test")
        return ids

    monkeypatch.setattr(purge, "_ids", found_and_then_restored)
    assert purge.sweep_retention() == 1
    assert (row(wanted).purged_at, row(wanted).caller_number) == (None, "0301234567")
    assert spool_files(wanted) != []
    assert spool_files(forgotten) == []


def test_discarded_takes_are_kept_for_some_days(box: Mailbox) -> None:
    young, old = (messages.save_take(spooled(take(discarded=True))).id for _ in range(2))
    age(young, 6, "created_at")
    age(old, 8, "created_at")
    assert purge.sweep_retention() == 1
    assert [row(message_id).purged_at is None for message_id in (young, old)] == [True, False]


def test_a_hosts_wrong_clock_purges_nothing(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    class LongAgo(datetime):
        """What a host believes whose clock began anew."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> LongAgo:
            return cls(2020, 1, 1, tzinfo=tz)

    monkeypatch.setattr("app.models.base.datetime", LongAgo)
    assert utc_now().year == 2020
    discarded = messages.save_take(spooled(take(discarded=True))).id
    kept = messages.save_take(spooled(take())).id
    mailboxes.delete("1001", confirm="1001", actor="test")
    assert purge.sweep_retention() == 0
    assert [row(message_id).purged_at for message_id in (discarded, kept)] == [None, None]


def test_messages_end_with_their_mailbox(box: Mailbox) -> None:
    message_id = messages.save_take(spooled(take())).id
    mailboxes.delete("1001", confirm="1001", actor="test")
    assert purge.sweep_retention() == 0
    db.session.execute(update(Mailbox).values(deleted_at=utc_now() - timedelta(days=31)))
    db.session.commit()
    assert purge.sweep_retention() == 1
    assert spool_files(message_id) == []


def test_many_are_purged_in_several_sweeps(box: Mailbox, any_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    monkeypatch.setattr(purge, "EVENTS_AT_ONCE", 2)
    for _ in range(5):
        message_id = messages.save_take(take()).id
        messages.trash(message_id, actor="test")
        age(message_id, 40)
    assert [purge.sweep_retention() for _ in range(4)] == [2, 2, 1, 0]


def test_a_host_whose_clock_is_wrong_empties_no_trash(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = messages.save_take(spooled(take())).id
    messages.trash(message_id, actor="test")

    class InTenYears(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> InTenYears:
            return cls(2036, 1, 1, tzinfo=tz)

    monkeypatch.setattr("app.models.base.datetime", InTenYears)
    assert utc_now().year == 2036
    assert purge.sweep_retention() == 0
    assert spool_files(message_id) != []


def test_greetings_end_with_their_mailbox(box: Mailbox) -> None:
    mailboxes.create("1002", pin="2580", actor="test")
    keys = [greetings.set_greeting(name, encoded(tone()), actor="test").storage_key for name in ("1001", "1002")]
    mailboxes.delete("1001", confirm="1001", actor="test")
    purge.sweep_retention()
    assert [open_store(settings()).stat(key) is not None for key in keys] == [True, True]
    db.session.execute(update(Mailbox).where(Mailbox.id == box.id).values(deleted_at=utc_now() - timedelta(days=31)))
    db.session.commit()
    purge.sweep_retention()
    assert [open_store(settings()).stat(key) is not None for key in keys] == [False, True]
    assert db.session.scalars(select(Greeting.storage_key)).all() == keys[1:]


def test_events_are_kept_for_their_time(box: Mailbox) -> None:
    mailboxes.reset_pin("1001", "582914", actor="t")
    mailboxes.reset_pin("1001", "773311", actor="t")
    old = db.session.scalars(select(Event.id)).first()
    days = timedelta(days=settings().retention.event_days)
    db.session.execute(update(Event).where(Event.id == old).values(created_at=utc_now() - days - timedelta(hours=1)))
    db.session.commit()
    purge.sweep_retention()
    assert old not in db.session.scalars(select(Event.id)).all()
    assert db.session.query(Event).count() == 1
