"""A message's life with a remote store: uploaded, heard from the cache, heard from the store, purged everywhere."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace

import pytest
from flask import Flask

from app.config import Settings
from app.extensions import db
from app.models import Message
from app.services import messages, purge
from app.storage import cache, open_store
from tests.conftest import leave_message
from tests.storage.servers import REMOTE, Servers

grouped = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in REMOTE]


@pytest.mark.parametrize("name", grouped)
def test_a_message_with_a_remote_store(app: Flask, servers: Servers, mailbox: str, name: str) -> None:
    plain: Settings = app.extensions["settings"]
    limits = replace(plain.limits, free_disk_bytes=0)
    storage = replace(servers(name), prefix=uuid.uuid4().hex)
    settings = app.extensions["settings"] = replace(plain, storage=storage, limits=limits)
    store = open_store(settings)
    with app.app_context():
        message_id = leave_message(app, mailbox, caller_name="王小明")
        message = db.session.get(Message, message_id)
        assert message is not None
        assert list(store.list()) == [message.storage_key]
        facts = store.stat(message.storage_key)
        assert (facts.size, facts.sha256) == (message.size, message.sha256)
        assert (facts.metadata["id"], facts.metadata["caller_name"]) == (message_id, "王小明")
        assert not list(settings.spool_dir.glob(f"{message_id}*"))
        for _ in ("from the cache", "from the store", "and from the cache again"):
            assert hashlib.sha256(b"".join(messages.open_audio(message).blocks())).hexdigest() == message.sha256
            cache.forget(settings, message.storage_key)
        assert b"".join(messages.open_audio(message).blocks())
        assert [path for path in cache.folder_of(settings).rglob("*/*") if path.is_file()]
        purge.purge(message_id)
        assert list(store.list()) == []
        assert [path for path in cache.folder_of(settings).rglob("*/*") if path.is_file()] == []
