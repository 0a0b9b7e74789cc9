"""A purge with each kind of store, also while an upload runs: no object stays, nor what a host keeps at hand of it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from app.extensions import db
from app.jobs import run
from app.models import Mailbox, Message
from app.services import greetings, mailboxes, messages, purge, verify
from app.storage import Store, cache, message_key, open_store
from tests.jobs.owed import CONTENT, lapse, make_due, message_of, owe, row, settings_of
from tests.services.sounds import encoded, tone
from tests.storage.servers import REMOTE, Servers


@pytest.fixture(params=["local", *REMOTE])
def kept(request: pytest.FixtureRequest, app: Flask, servers: Servers) -> Flask:
    """An application whose recordings go to a store of each kind."""
    if request.param != "local":
        storage = replace(servers(request.param), prefix=f"test/{uuid.uuid4().hex}/")
        app.extensions["settings"] = replace(settings_of(app), storage=storage)
    return app


def left_of(app: Flask, message_id: str) -> list[str]:
    """What still tells of a message: objects, and files of this host."""
    settings, message = settings_of(app), message_of(app, message_id)
    key = message_key(message.mailbox_id, message_id)
    found = list(open_store(settings).list(key))
    name = hashlib.sha256(key.encode()).hexdigest()
    folders = (settings.spool_dir, cache.folder_of(settings))
    return found + [str(path) for folder in folders for path in folder.rglob("*") if path.stem in (message_id, name)]


def deliver_until_it_rests(app: Flask, message_id: str) -> None:
    """What the relay does."""
    for _ in range(3):
        delivery = row(app, message_id)
        if delivery.state == "running":
            lapse(app, delivery.id)
        elif delivery.state == "pending":
            make_due(app, delivery.id)
        else:
            return
        with app.app_context():
            run.deliver(delivery.id)


def test_what_was_uploaded_and_heard(kept: Flask) -> None:
    message_id = owe(kept)
    deliver_until_it_rests(kept, message_id)
    with kept.app_context():
        assert b"".join(messages.open_audio(db.session.get_one(Message, message_id)).blocks()) == CONTENT
        assert left_of(kept, message_id) != []
        purge.purge(message_id)
    assert left_of(kept, message_id) == []


@pytest.mark.parametrize("moment", ["before its bytes move", "after its bytes moved"])
def test_a_purge_in_the_middle_of_an_upload(kept: Flask, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    message_id = owe(kept)
    kind = type(open_store(settings_of(kept)))
    real: Callable[..., None] = kind.put
    moments: list[str] = []

    def put(store: Store, key: str, path: Path, **facts: object) -> None:
        with kept.app_context():
            if moment == "before its bytes move":
                moments.append(moment)
                # Its spool file goes: whoever has it open still reads it, whoever comes later finds none.
                with path.open("rb") as file:
                    purge.purge(message_id)
                    copy = path.with_suffix(".copy")
                    copy.write_bytes(file.read())
                real(store, key, copy, **facts)
                copy.unlink()
            else:
                real(store, key, path, **facts)
                moments.append(moment)
                purge.purge(message_id)

    monkeypatch.setattr(kind, "put", put)
    deliver_until_it_rests(kept, message_id)
    assert moments == [moment]
    assert left_of(kept, message_id) == []
    assert row(kept, message_id).state == "skipped"
    assert message_of(kept, message_id).storage_key is None


def test_an_upload_that_died_before_it_could_say_so(kept: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = owe(kept)
    message = message_of(kept, message_id)
    key = message_key(message.mailbox_id, message_id)
    kind = type(open_store(settings_of(kept)))
    real: Callable[..., None] = kind.put

    class Killed(BaseException):
        """Nothing of the process runs after it."""

    def put_and_die(*arguments: object, **facts: object) -> None:
        real(*arguments, **facts)
        raise Killed

    with monkeypatch.context() as patch, kept.app_context():
        patch.setattr(kind, "put", put_and_die)
        with pytest.raises(Killed):
            run.deliver(row(kept, message_id).id)
    with kept.app_context():
        assert open_store(settings_of(kept)).stat(key) is not None
        purge.purge(message_id)
    deliver_until_it_rests(kept, message_id)
    assert left_of(kept, message_id) == []


def test_greetings_of_a_deleted_mailbox(kept: Flask, mailbox: str) -> None:
    with kept.app_context():
        key = greetings.set_greeting(mailbox, encoded(tone()), actor="t").storage_key
        mailboxes.delete(mailbox, confirm=mailbox, actor="t")
        db.session.execute(update(Mailbox).values(deleted_at=datetime(2020, 1, 1, tzinfo=UTC)))
        db.session.commit()
        purge.sweep_retention()
        assert open_store(settings_of(kept)).stat(key) is None


def test_verify_reads_each_kind_of_store(kept: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "SECOND_LOOK_SECONDS", 0.01)
    ids = [owe(kept)]
    deliver_until_it_rests(kept, ids[0])
    message = message_of(kept, ids[0])
    store = open_store(settings_of(kept))
    spool = settings_of(kept).spool_dir / "other.wav"
    spool.write_bytes(b"other")
    digest = hashlib.sha256(b"other").hexdigest()
    with kept.app_context():
        assert [found.state for found in (*verify.look(None), *verify.unknown(None))] == ["good"]
        store.put(f"messages/{message.mailbox_id}/strange.wav", spool, sha256=digest, metadata={})
        store.put(message_key(message.mailbox_id, ids[0]), spool, sha256=digest, metadata={})
        assert [found.state for found in (*verify.look(None), *verify.unknown(None))] == ["damaged", "unknown"]
        store.delete(message_key(message.mailbox_id, ids[0]))
        assert [found.state for found in verify.look(None)] == ["missing"]
