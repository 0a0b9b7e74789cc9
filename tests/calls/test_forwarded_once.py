"""A message is forwarded once, however late its commit is and however often the owner asks for it meanwhile."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.extensions import db
from app.models import Message
from app.models.base import utc_now
from app.services import mailboxes
from tests.calls.spooled import finished
from tests.peers.instance import Instance
from voice import spool
from voice.owner import Forwarded
from voice.owner_store import OwnerStore
from voice.store import Store

EXTENSION, OTHER = "7001", "7002"
PATIENCE = 20.0
AT_ONCE = 8


class Killed(BaseException):
    """Nothing after it is done, but for what the system does: locks are given up."""


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """An instance with two mailboxes."""
    made = Instance(tmp_path / "instance")
    for extension in (EXTENSION, OTHER):
        made.mailbox(extension)
    return made


@pytest.fixture
def store(instance: Instance) -> Iterator[Store]:
    """The door that takes come through."""
    made = Store(instance.settings)
    yield made
    dispose(made)


@pytest.fixture
def owners(instance: Instance, store: Store) -> OwnerStore:
    """What answers owners' calls."""
    return OwnerStore(instance.settings, store)


@pytest.fixture
def asked(instance: Instance, store: Store) -> dict[str, Any]:
    """The wish to forward the one message of the first mailbox to the other one."""
    entry = finished(instance, EXTENSION)
    assert store.save(entry.id)
    entry.close()
    with instance.app.app_context():
        mailbox_id = mailboxes.get(EXTENSION).id
    return {"mailbox_id": mailbox_id, "message_id": entry.id, "extension": OTHER}


def dispose(store: Store) -> None:
    with store.context():
        db.session.remove()
        db.engine.dispose()


def copies(instance: Instance, asked: dict[str, Any]) -> list[spool.Sidecar]:
    """The takes of this wish that are in the spool."""
    folder = instance.settings.spool_dir
    sidecars = [spool.read(folder, take_id) for take_id in spool.listing(folder)]
    return [each for each in sidecars if each.forwarded_from == asked["message_id"]]


def grow_old(instance: Instance) -> None:
    """All that was committed was committed some minutes ago."""
    with instance.app.app_context():
        db.session.execute(update(Message).values(created_at=utc_now() - timedelta(minutes=2)))
        db.session.commit()


def test_a_wish_that_is_asked_again_while_its_commit_hangs(
    instance: Instance, store: Store, owners: OwnerStore, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked first has given up: an absent standby, or another writer, holds the commit up for long."""
    save, begun, goes_on = store.save, threading.Event(), threading.Event()

    def hang(take_id: str) -> bool:
        if not begun.is_set():
            begun.set()
            assert goes_on.wait(PATIENCE)
        return save(take_id)

    monkeypatch.setattr(store, "save", hang)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(owners.answer, "forward", asked)
        assert begun.wait(PATIENCE)
        # However much later.
        grow_old(instance)
        assert [owners.answer("forward", asked) for _ in range(2)] == [Forwarded.DONE] * 2
        assert len(copies(instance, asked)) == 1
        assert instance.messages(OTHER) == []
        goes_on.set()
        assert first.result(PATIENCE) is Forwarded.DONE
    assert store.reconcile() == 0
    assert len(instance.messages(OTHER)) == 1
    assert owners.answer("forward", asked) is Forwarded.DONE
    assert len(instance.messages(OTHER)) == 1


def test_a_wish_that_is_asked_again_after_a_kill_before_its_commit(
    instance: Instance, store: Store, owners: OwnerStore, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: str) -> bool:
        raise Killed

    monkeypatch.setattr(store, "save", die)
    with pytest.raises(Killed):
        owners.answer("forward", asked)
    monkeypatch.undo()
    assert owners.answer("forward", asked) is Forwarded.DONE
    assert len(copies(instance, asked)) == 1
    assert store.reconcile() == 1
    assert instance.message(OTHER).forwarded_from == asked["message_id"]


def test_a_wish_that_is_asked_again_while_its_copy_is_made(
    instance: Instance, store: Store, owners: OwnerStore, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told that it is done before it is safe."""
    copyfile, begun, goes_on = shutil.copyfile, threading.Event(), threading.Event()

    def hang(source: Path, target: Path) -> object:
        if not begun.is_set():
            begun.set()
            assert goes_on.wait(PATIENCE)
        return copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", hang)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(owners.answer, "forward", asked)
        assert begun.wait(PATIENCE)
        assert owners.answer("forward", asked) is Forwarded.AWAY
        goes_on.set()
        assert first.result(PATIENCE) is Forwarded.DONE
    assert owners.answer("forward", asked) is Forwarded.DONE
    assert len(instance.messages(OTHER)) == 1


def test_the_same_wish_of_many_at_once(instance: Instance, store: Store, asked: dict[str, Any]) -> None:
    """Threads of two keepers on one spool."""
    stores = [Store(instance.settings) for _ in range(2)]
    keepers = [OwnerStore(instance.settings, each) for each in stores]
    together = threading.Barrier(AT_ONCE)

    def ask(number: int) -> Forwarded:
        together.wait(PATIENCE)
        answer = keepers[number % 2].answer("forward", asked)
        assert isinstance(answer, Forwarded)
        return answer

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = set(pool.map(ask, range(AT_ONCE)))
    for each in stores:
        dispose(each)
    assert Forwarded.DONE in answers
    assert answers <= {Forwarded.DONE, Forwarded.AWAY}
    assert store.reconcile() == 0
    assert len(copies(instance, asked)) == len(instance.messages(OTHER)) == 1
    assert [path.name for path in instance.settings.spool_dir.iterdir() if path.suffix == ".part"] == []


def test_a_message_that_is_forwarded_again_later(
    instance: Instance, store: Store, owners: OwnerStore, asked: dict[str, Any]
) -> None:
    for number in range(1, 4):
        assert [owners.answer("forward", asked, math.inf) for _ in range(2)] == [Forwarded.DONE] * 2
        assert len(instance.messages(OTHER)) == number
        grow_old(instance)
