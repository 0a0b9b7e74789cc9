"""Recordings of calls whose upload or end is killed at one line after the other: heard until deleted, then never."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app.config import PROJECT_ROOT
from app.errors import NotFound
from app.extensions import db
from app.jobs import run
from app.services import outbox, recorded_audio, recording_end, recordings
from app.services.deposit import SpoolFate
from app.storage import open_store, recording_key
from tests import killing
from tests.faults.test_killed_at_any_line import TRACED, forget, lines
from tests.jobs.owed import lapse, make_due, settings_of, tune
from tests.services.recorded import recorded, row, upload_of

FILES = (*TRACED, *(str(PROJECT_ROOT / "app" / "services" / name) for name in ("recordings.py", "recording_end.py")))


@pytest.fixture
def context(app: Flask) -> Iterator[Flask]:
    tune(app, lease_seconds=60)
    with app.app_context():
        yield app


def killed_at(line: int, act) -> bool:
    """Run act() in a process that is killed before the line-th line of ours; whether it came that far."""
    db.session.remove()
    # A connection of SQLite must not cross a fork.
    db.engine.dispose()
    return killing.killed_at(line, act, FILES)


def heard(sid: str) -> bytes:
    found = b"".join(recorded_audio.open_audio(row(sid)).blocks())
    db.session.rollback()
    return found


def upload_again(app: Flask, sid: str) -> None:
    """What the relay does: what a dead worker held is done by another."""
    upload = upload_of(sid)
    delivery_id, state = upload.id, upload.state
    # What follows is written in other sessions, and this one has to see it.
    db.session.rollback()
    if state == "running":
        lapse(app, delivery_id)
        assert outbox.expire_leases() == [delivery_id]
    make_due(app, delivery_id)
    run.deliver(delivery_id)


def left_of(app: Flask, sid: str, take_id: str) -> list[Path]:
    """Files that tell of a recording, but for what was being written, which goes by itself."""
    settings = settings_of(app)
    found = [*settings.spool_dir.rglob(f"*{take_id}*"), *settings.storage.folder.rglob(f"*{sid}*")]
    return [path for path in found if path.parent.name != "parts"]


@pytest.mark.slow
def test_an_upload(context: Flask) -> None:
    for line in lines():
        sid = recorded(uploaded=False)
        take_id, whole, delivery_id = row(sid).take_id or "", heard(sid), upload_of(sid).id
        killed = killed_at(line, lambda delivery_id=delivery_id: run.deliver(delivery_id))
        # Whoever wants to hear it hears it, at any moment.
        assert heard(sid) == whole, line
        upload_again(context, sid)
        assert (upload_of(sid).state, row(sid).spool_host) == ("done", None), line
        assert b"".join(open_store(settings_of(context)).open(recording_key(sid)).blocks()) == whole, line
        if list(settings_of(context).spool_dir.glob(f"{take_id}*")):
            # What the kill left in the spool, the reconciler of the voice worker removes.
            assert recordings.known_ids([take_id]) == {take_id: SpoolFate.STORED}, line
        forget(context)
        if not killed:
            break
    assert line > 100


@pytest.mark.slow
@pytest.mark.parametrize("uploaded", [False, True])
def test_a_delete(context: Flask, uploaded: bool) -> None:
    for line in lines():
        sid = recorded(uploaded=uploaded)
        take_id = row(sid).take_id or ""
        killed = killed_at(line, lambda sid=sid: recording_end.delete(sid, actor="test"))
        if row(sid).purged_at is None:
            # It was killed before it was done: whoever asked for it asks again.
            assert heard(sid), line
            recording_end.delete(sid, actor="test")
        recording_end.sweep()
        with pytest.raises(NotFound):
            recordings.get(sid)
        if not uploaded:
            upload_again(context, sid)
        assert left_of(context, sid, take_id) == [], line
        forget(context)
        if not killed:
            break
    assert line > 50
