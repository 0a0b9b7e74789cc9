"""A keeper that is killed at one line after the other while it forwards a message, and is asked again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.config import PROJECT_ROOT
from app.extensions import db
from app.services import mailboxes
from tests import killing
from tests.calls.spooled import finished
from tests.peers.instance import Instance
from voice.owner import Forwarded
from voice.owner_store import OwnerStore
from voice.store import Store

EXTENSION, OTHER = "7001", "7002"
TRACED = tuple(
    str(PROJECT_ROOT / path)
    for path in (
        "app/services/deposit.py",
        "app/services/owner_messages.py",
        "voice/copies.py",
        "voice/owner_store.py",
        "voice/spool.py",
        "voice/take_store.py",
    )
)
STRIDE = int(os.environ.get("TEST_KILL_STRIDE", "11"))
"""Every 11th line, in half a minute; all of them take some minutes."""


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """An instance with two mailboxes, where no recording says enough: a copy of a message is one in any case."""
    made = Instance(tmp_path / "instance", VOICEMAIL__MIN_SPEECH="60")
    for extension in (EXTENSION, OTHER):
        made.mailbox(extension)
    return made


@pytest.fixture
def store(instance: Instance) -> Iterator[Store]:
    """The door that takes come through."""
    made = Store(instance.settings)
    yield made
    leave_the_database(instance, made)


def leave_the_database(instance: Instance, store: Store) -> None:
    """A connection of SQLite must not cross a fork."""
    for context in (instance.app.app_context(), store.context()):
        with context:
            db.session.remove()
            db.engine.dispose()


def wish(instance: Instance, store: Store) -> dict[str, Any]:
    """To forward a message that was left just now, and is urgent."""
    entry = finished(instance, EXTENSION)
    entry.change(urgent=True)
    assert store.save(entry.id)
    entry.close()
    with instance.app.app_context():
        mailbox_id = mailboxes.get(EXTENSION).id
    return {"mailbox_id": mailbox_id, "message_id": entry.id, "extension": OTHER}


@pytest.mark.slow
@pytest.mark.parametrize("adopted_first", [False, True])
def test_a_kill_makes_neither_two_of_a_copy_nor_none(instance: Instance, store: Store, adopted_first: bool) -> None:
    owners = OwnerStore(instance.settings, store)
    for line in range(1, 100_000, STRIDE):
        asked = wish(instance, store)
        leave_the_database(instance, store)
        killed = killing.killed_at(line, lambda asked=asked: owners.answer("forward", asked), TRACED)
        if adopted_first:
            store.reconcile()
        assert owners.answer("forward", asked) is Forwarded.DONE, line
        store.reconcile()
        made = [each for each in instance.messages(OTHER) if each.forwarded_from == asked["message_id"]]
        assert [(each.state, each.urgent) for each in made] == [("new", True)], line
        original = instance.settings.spool_dir / f"{asked['message_id']}.wav"
        assert original.with_name(f"{made[0].id}.wav").read_bytes() == original.read_bytes(), line
        if not killed:
            break
    assert line > 100
