"""Recordings of programmed calls on every database: saved once, uploaded, listed where they failed, ended for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.errors import NotFound, Unavailable
from app.extensions import db
from app.jobs import relay, run
from app.models import Attempt, Audit, Call, Delivery, Recording
from app.models.base import database_now, new_id, utc_now
from app.services import calls, deliveries, outbox, recorded_audio, recording_end, recordings
from app.services.context import settings
from app.services.deposit import SpoolFate
from app.services.spool import wav_of
from app.storage import StoreError, open_store, recording_key
from app.storage.local import LocalStore
from tests.jobs.owed import make_due
from tests.services.recorded import CALL_SID, STARTED, recorded, row, take, upload_of
from tests.services.together import together


class Killed(BaseException):
    """What a kill looks like from inside: nothing after it runs."""


@pytest.fixture
def house(any_app: Flask) -> Flask:
    """The application, on each kind of database in turn."""
    return any_app


def number_of(table: type) -> int:
    found = db.session.scalar(select(func.count()).select_from(table)) or 0
    db.session.rollback()
    return found


def spool_files(sid: str) -> list[Path]:
    return sorted(settings().spool_dir.glob(f"{row(sid).take_id}*"))


def stored(sid: str) -> bool:
    """Whether the store has the audio."""
    return open_store(settings()).stat(recording_key(sid)) is not None


def keep_days(app: Flask, days: int) -> None:
    found = settings()
    app.extensions["settings"] = replace(found, programmable=replace(found.programmable, recording_days=days))


def age(sid: str, days: int) -> None:
    """Let it have been made so many days ago, by the database's clock."""
    now = db.session.execute(select(database_now())).scalar_one()
    db.session.execute(update(Recording).where(Recording.sid == sid).values(created_at=now - timedelta(days=days)))
    db.session.commit()


class TestSaved:
    def test_once_with_its_call_and_its_upload(self, house: Flask) -> None:
        mine = take()
        for _ in range(2):
            saved = recordings.save(mine)
        assert (saved.sid, saved.take_id, saved.status) == (mine.sid, mine.id, "completed")
        call = db.session.get_one(Call, CALL_SID)
        assert (call.caller, call.called, call.started_at) == ("0301234567", "5551234", STARTED)
        assert (call.status, call.sip_call_id, call.simulated) == ("in-progress", mine.sip_call_id, False)
        upload = upload_of(mine.sid)
        assert (upload.kind, upload.event, upload.target) == ("upload", "recording.created", settings().host_name)
        assert (number_of(Recording), number_of(Delivery), number_of(Call)) == (1, 1, 1)

    def test_a_call_that_is_written_down_stays_as_it_is(self, house: Flask) -> None:
        db.session.add(
            Call(
                sid=CALL_SID, direction="inbound", caller="the ledger's", called="0", status="completed", number_id=None
            )
        )
        db.session.commit()
        recordings.save(take())
        assert db.session.get_one(Call, CALL_SID).caller == "the ledger's"

    def test_by_several_at_once_it_is_one(self, house: Flask) -> None:
        mine = take()
        results = together(house, *[lambda: recordings.save(mine).sid] * 3)
        assert results == [mine.sid] * 3
        assert (number_of(Recording), number_of(Delivery), number_of(Call)) == (1, 1, 1)

    def test_recordings_of_a_call_that_come_at_once(self, house: Flask) -> None:
        mine = [take() for _ in range(3)]
        results = together(house, *[lambda one=one: recordings.save(one).sid for one in mine])
        assert sorted(results) == sorted(one.sid for one in mine)
        assert (number_of(Recording), number_of(Call)) == (3, 1)

    def test_what_the_caller_sent_is_cut_to_what_fits(self, house: Flask) -> None:
        recordings.save(take(caller="☎\x07" * 200, called="9" * 400, sip_call_id="x" * 400))
        call = db.session.get_one(Call, CALL_SID)
        assert (call.caller, len(call.called), len(call.sip_call_id)) == ("☎" * 128, 128, 255)

    def test_a_host_with_another_name_uploads_it(self, house: Flask) -> None:
        mine = take(host="old-name")
        recordings.save(mine)
        recordings.save(replace(mine, host=settings().host_name))
        assert row(mine.sid).spool_host == upload_of(mine.sid).target == settings().host_name

    def test_what_is_known_of_takes_in_the_spool(self, house: Flask) -> None:
        owed, there, elsewhere, gone = (
            recorded(uploaded=False), recorded(), recorded(uploaded=False, host="old-name"), recorded(uploaded=False),
        )  # fmt: skip
        recording_end.delete(gone, actor="test")
        ids = {sid: row(sid).take_id or "" for sid in (owed, there, elsewhere, gone)}
        fates = recordings.known_ids([*ids.values(), new_id()])
        assert fates == {
            ids[owed]: SpoolFate.OWED,
            ids[there]: SpoolFate.STORED,
            ids[gone]: SpoolFate.STORED,
        }

    def test_of_a_call_in_the_order_in_which_they_were_made(self, house: Flask) -> None:
        second, first = recorded(started_at=STARTED + timedelta(seconds=9)), recorded()
        recorded(call_sid="CA" + "1" * 32)
        recording_end.delete(recorded(), actor="test")
        assert [one.sid for one in recordings.of_call(CALL_SID)] == [first, second]


class TestUpload:
    def test_it_moves_to_the_store_and_can_be_made_again_from_there(self, house: Flask) -> None:
        sid = recorded(uploaded=False)
        before = b"".join(recorded_audio.open_audio(row(sid)).blocks())
        run.deliver(upload_of(sid).id)
        mine = row(sid)
        assert (mine.spool_host, mine.storage_key) == (None, f"recordings/{sid}.wav")
        assert spool_files(sid) == []
        assert b"".join(recorded_audio.open_audio(mine).blocks()) == before
        facts = open_store(settings()).stat(recording_key(sid))
        assert facts is not None
        assert (facts.size, facts.sha256, facts.content_type) == (mine.size, mine.sha256, "audio/wav")
        assert (facts.metadata["sid"], facts.metadata["call_sid"]) == (sid, CALL_SID)
        assert facts.metadata["started_at"] == STARTED.isoformat()
        assert upload_of(sid).state == "done"

    def test_it_runs_only_where_the_spool_is(self, house: Flask) -> None:
        sid = recorded(uploaded=False, host="another-host")
        run.deliver(upload_of(sid).id)
        tried = upload_of(sid)
        assert (tried.state, "another-host" in tried.last_error) == ("pending", True)
        with pytest.raises(Unavailable):
            recorded_audio.open_audio(row(sid))

    def test_deleted_before_or_during_it_leaves_no_object(self, house: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        before, during = recorded(uploaded=False), recorded(uploaded=False)
        recording_end.delete(before, actor="test")
        run.deliver(upload_of(before).id)
        real = LocalStore.put

        def put(self: LocalStore, *arguments: object, **options: object) -> None:
            real(self, *arguments, **options)  # type: ignore[arg-type]
            recording_end.delete(during, actor="test")

        monkeypatch.setattr(LocalStore, "put", put)
        run.deliver(upload_of(during).id)
        for sid in (before, during):
            assert (upload_of(sid).state, stored(sid), spool_files(sid)) == ("skipped", False, [])

    def test_one_that_was_given_up_starts_again(self, house: Flask) -> None:
        sid, gone = recorded(uploaded=False), recorded(uploaded=False)
        db.session.execute(update(Delivery).values(state="failed"))
        db.session.commit()
        recording_end.delete(gone, actor="test")
        assert outbox.reopen_uploads() == [upload_of(sid).id]

    def test_a_damaged_file_fails_and_is_listed_and_tried_again(self, house: Flask) -> None:
        sid = recorded(uploaded=False)
        path = wav_of(settings(), row(sid).take_id or "")
        whole = path.read_bytes()
        path.write_bytes(b"damaged")
        run.deliver(upload_of(sid).id)
        [found], _ = deliveries.listing(kind="upload", state="failed")
        assert (found.delivery.recording_sid, found.mailbox, found.message) == (sid, None, None)
        assert found.recording is not None
        assert "damaged" in found.delivery.last_error
        assert deliveries.can_retry(found.delivery, None)
        assert deliveries.failed_count() == deliveries.count() == 1
        path.write_bytes(whole)
        assert deliveries.retry(upload_of(sid).id, actor="test").state == "pending"
        make_due(house, upload_of(sid).id)
        run.deliver(upload_of(sid).id)
        assert (upload_of(sid).state, stored(sid)) == ("done", True)
        assert deliveries.listing()[0] == []


class TestEnded:
    @pytest.mark.parametrize("uploaded", [False, True])
    def test_nothing_remains_but_a_tombstone(self, house: Flask, uploaded: bool) -> None:
        sid = recorded(uploaded=uploaded)
        recording_end.delete(sid, actor="somebody")
        assert (stored(sid), spool_files(sid)) == (False, [])
        tombstone = row(sid)
        assert tombstone.deleted_at is not None
        assert tombstone.deleted_at == tombstone.purged_at
        assert (tombstone.storage_key, tombstone.spool_host) == (None, None)
        noted = db.session.scalars(select(Audit).where(Audit.object_id == sid)).one()
        assert (noted.actor, noted.action, noted.detail) == ("somebody", "recording.purge", f"{CALL_SID}: deleted")
        for act in (lambda: recordings.get(sid), lambda: recording_end.delete(sid, actor="test")):
            with pytest.raises(NotFound):
                act()
        # A spool that comes back brings nothing back.
        assert recordings.save(replace(take(), sid=sid, id=tombstone.take_id or "")).purged_at is not None
        assert recordings.known_ids([tombstone.take_id or ""]) == {tombstone.take_id: SpoolFate.STORED}

    def test_two_at_once_delete_it_once(self, house: Flask) -> None:
        sid = recorded()
        results = together(house, *[lambda: recording_end.delete(sid, actor="test")] * 2)
        assert sorted(type(result).__name__ for result in results) == ["NoneType", "NotFound"]
        assert number_of(Audit) == 1

    def test_after_its_days_by_the_databases_clock(self, house: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        old, young = recorded(), recorded()
        age(old, 8)
        age(young, 6)
        monkeypatch.setattr("app.models.base.utc_now", lambda: datetime(2099, 1, 1, tzinfo=UTC))
        assert recording_end.sweep() == 0
        keep_days(house, 7)
        assert recording_end.sweep() == 1
        assert recording_end.sweep() == 0
        assert (row(old).purged_at is None, row(young).purged_at is None) == (False, True)
        assert (stored(old), stored(young)) == (False, True)
        noted = db.session.scalars(select(Audit).where(Audit.object_id == old)).one()
        assert (noted.actor, noted.detail) == ("retention", f"{CALL_SID}: older than 7 days")

    @pytest.mark.parametrize("uploaded", [False, True])
    def test_whatever_fails_or_dies_in_between_the_next_sweep_finishes(
        self, house: Flask, monkeypatch: pytest.MonkeyPatch, uploaded: bool
    ) -> None:
        """Each step in turn: the store, the cache, the spool, the note that all are gone."""
        keep_days(house, 7)
        faults: list[tuple[str, BaseException]] = [
            ("app.storage.local.LocalStore.delete", StoreError("away")),
            ("app.storage.cache.forget", OSError(30, "Read-only file system")),
            ("app.services.recording_end.remove_spool", OSError(30, "Read-only file system")),
            ("app.storage.local.LocalStore.delete", Killed()),
            ("app.services.recording_end.remove_spool", Killed()),
            ("app.services.recording_end.case", Killed()),
        ]
        for where, fault in faults:
            sid = recorded(uploaded=uploaded)
            age(sid, 8)

            def fail(*_: object, fault: BaseException = fault, **__: object) -> None:
                raise fault

            with monkeypatch.context() as patch:
                patch.setattr(where, fail)
                try:
                    recording_end.sweep()
                except Killed:
                    db.session.rollback()
            assert row(sid).purged_at is not None, where
            recording_end.sweep()
            ended = row(sid)
            assert (ended.storage_key, ended.spool_host) == (None, None), where
            assert (stored(sid), spool_files(sid)) == (False, []), where

    def test_the_relay_does_it_by_the_hour_and_the_call_goes_when_nothing_is_left_of_it(self, house: Flask) -> None:
        keep_days(house, 7)
        sid = recorded()
        age(sid, 8)
        db.session.execute(update(Call).values(started_at=utc_now() - timedelta(days=100)))
        db.session.commit()
        assert relay.sweep() is False
        assert row(sid).purged_at is not None
        # Its tombstone needs it.
        assert calls.get(CALL_SID).sid == CALL_SID
        db.session.execute(update(Recording).values(purged_at=utc_now() - timedelta(days=31)))
        db.session.commit()
        relay.sweep()
        assert (number_of(Recording), number_of(Delivery), number_of(Attempt), number_of(Call)) == (0, 0, 0, 0)

    def test_a_tombstone_stays_while_there_are_files_or_an_upload(self, house: Flask) -> None:
        pending, elsewhere = recorded(uploaded=False), recorded(uploaded=False, host="another-host")
        for sid in (pending, elsewhere):
            recording_end.delete(sid, actor="test")
        db.session.execute(update(Recording).values(purged_at=utc_now() - timedelta(days=31)))
        db.session.execute(update(Delivery).where(Delivery.recording_sid == elsewhere).values(state="skipped"))
        db.session.commit()
        recording_end.sweep()
        assert number_of(Recording) == 2
        run.deliver(upload_of(pending).id)
        recording_end.sweep()
        assert [one.sid for one in db.session.scalars(select(Recording))] == [elsewhere]

    def test_one_in_another_hosts_spool_is_left_to_that_host(self, house: Flask) -> None:
        sid = recorded(uploaded=False, host="another-host")
        recording_end.delete(sid, actor="test")
        assert row(sid).spool_host == "another-host"
        assert len(spool_files(sid)) == 2
        assert recording_end.sweep() == 0


def test_a_date_that_is_now(house: Flask) -> None:
    """Made by the database's clock, whatever the host's says."""
    sid = recorded()
    assert abs(row(sid).created_at - utc_now()) < timedelta(minutes=1)
