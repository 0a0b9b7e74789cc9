"""What answers a call: a number's script, a mailbox, a mailbox with its own script, or the catch-all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app.config import load_settings
from app.database import writing
from app.extensions import db
from app.models import Number
from app.models.calls import CATCH_ALL
from app.services import mailboxes
from app.services.mailbox_options import Options
from tests.calls.test_keeper import EXTENSION, bring_back, start_keeper, take_away
from tests.peers.instance import Instance
from tests.support import until
from voice.errors import KeeperAway
from voice.keeper_client import KeeperClient
from voice.mailbox import find_in_snapshot, snapshot_path
from voice.store import Store

__all__ = ["start_keeper"]
OTHER, ALIAS = "7002", "8002"


@pytest.fixture
def instance(tmp_path: Path, valkey: str) -> Instance:
    """An instance with two mailboxes; 8002 leads to the second one."""
    made = Instance(tmp_path / "instance", REDIS_URL=valkey)
    made.mailbox(EXTENSION)
    with made.app.app_context():
        mailboxes.create(OTHER, pin="4711", options=Options(aliases=ALIAS), actor="test")
    return made


@pytest.fixture
def store(instance: Instance) -> Iterator[Store]:
    """The door to the application, in this process."""
    made = Store(instance.settings)
    yield made
    close(made)


def close(store: Store) -> None:
    with store.context():
        db.session.remove()
        db.engine.dispose()


def add(instance: Instance, number: str | None, *, mailbox: str = "") -> str:
    """A number, or a mailbox's own script; its id."""
    with instance.app.app_context(), writing():
        box = mailboxes.get(mailbox).id if mailbox else None
        url = f"https://example.com/{number or mailbox}"
        row = Number(number=number, mailbox_id=box, language="fr", voice_url=url, voice_method="GET")
        db.session.add(row)
        db.session.flush()
        return row.id


def found(store: Store, dialled: list[str], extensions: list[str]) -> tuple[str | None, str | None]:
    """The URL and the extension of what answers."""
    script, mailbox = store.find_script(dialled, extensions)
    return script.voice_url.rpartition("/")[2] if script else None, mailbox.extension if mailbox else None


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """The statements that the block sends."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.extend([statement] if statement != "BEGIN" else [])

    with store.context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


def test_a_dialled_number_comes_first(instance: Instance, store: Store) -> None:
    add(instance, "5551234")
    add(instance, "*55")
    add(instance, CATCH_ALL)
    assert found(store, ["5551234"], [EXTENSION]) == ("5551234", None)
    assert found(store, ["9999", "*55", "5551234"], [EXTENSION]) == ("*55", None)
    assert found(store, ["9999"], [EXTENSION]) == (None, EXTENSION)


def test_what_is_known_of_a_script(instance: Instance, store: Store) -> None:
    number_id = add(instance, "5551234")
    script, mailbox = store.find_script(["+555-1234;phone-context=x"], [])
    assert script is not None
    assert mailbox is None
    assert (script.number_id, script.number) == (number_id, "+555-1234;phone-context=x")
    assert (script.language, script.voice_url, script.voice_method) == ("fr", "https://example.com/5551234", "GET")
    assert (script.fallback_url, script.fallback_method) == ("", "POST")
    assert (script.status_callback, script.status_callback_method, script.mailbox_id) == ("", "POST", "")


@pytest.mark.parametrize(("kept", "dialled"), [("+4930123", "4930123"), ("4930123", "+4930123"), ("sales", "Sales")])
def test_spellings_of_one_number(instance: Instance, store: Store, kept: str, dialled: str) -> None:
    add(instance, kept)
    assert found(store, [dialled], []) == (kept, None)


def test_a_mailbox_may_have_its_own_script(instance: Instance, store: Store) -> None:
    add(instance, None, mailbox=OTHER)
    add(instance, CATCH_ALL)
    assert found(store, [OTHER], [OTHER]) == (OTHER, OTHER)
    assert found(store, ["1"], ["9999", ALIAS]) == (OTHER, OTHER)
    # The script of a mailbox that comes later is not the first one's.
    assert found(store, ["1"], [EXTENSION, OTHER]) == (None, EXTENSION)
    script, mailbox = store.find_script(["1"], [OTHER])
    assert script is not None
    assert mailbox is not None
    assert script.mailbox_id == mailbox.id


def test_the_catch_all_is_last(instance: Instance, store: Store) -> None:
    assert found(store, ["9999"], ["9999"]) == (None, None)
    add(instance, CATCH_ALL)
    assert found(store, ["9999"], ["9999"]) == (CATCH_ALL, None)
    assert found(store, [], []) == (CATCH_ALL, None)
    # Whoever dials its sign is answered as all others are.
    assert found(store, [CATCH_ALL], [EXTENSION]) == (None, EXTENSION)


@pytest.mark.parametrize("strange", ["", "\0", "é", "²", "x" * 5000, "' OR 1=1 --", "+", "++49", "%", "_", "*;*"])
def test_a_strange_number_leads_nowhere(instance: Instance, store: Store, strange: str) -> None:
    add(instance, "5551234")
    assert found(store, [strange], [strange]) == (None, None)


def test_switched_off_there_are_only_mailboxes(instance: Instance) -> None:
    add(instance, "5551234")
    add(instance, CATCH_ALL)
    add(instance, None, mailbox=EXTENSION)
    store = Store(load_settings(instance.environment | {"VOICEMAIL__PROGRAMMABLE__ENABLED": "false"}))
    assert found(store, ["5551234"], [EXTENSION]) == (None, EXTENSION)
    assert found(store, ["5551234"], []) == (None, None)
    close(store)


def test_it_costs_one_question_more_than_the_mailbox_alone(instance: Instance, store: Store) -> None:
    add(instance, "5551234")
    add(instance, None, mailbox=OTHER)
    with counted(store) as alone:
        store.find_mailbox([OTHER])
    with counted(store) as together:
        store.find_script([OTHER], [OTHER])
    with counted(store) as number:
        store.find_script(["5551234"], [OTHER])
    assert len(together) == len(alone) + 1
    assert len(number) == 1


@pytest.mark.slow
def test_the_keeper_is_asked_once(instance: Instance, start_keeper: Any) -> None:
    add(instance, "5551234")
    add(instance, None, mailbox=OTHER)
    keeper: KeeperClient = start_keeper()
    script, mailbox = keeper.find_script(["5551234"], [EXTENSION])
    assert script is not None
    assert (script.voice_url, mailbox) == ("https://example.com/5551234", None)
    script, mailbox = keeper.find_script([OTHER], [OTHER])
    assert script is not None
    assert mailbox is not None
    assert (script.mailbox_id, mailbox.extension) == (mailbox.id, OTHER)
    script, mailbox = keeper.find_script([EXTENSION], [EXTENSION])
    assert script is None
    assert mailbox == keeper.find_mailbox([EXTENSION])
    assert keeper.find_script(["9999"], []) == (None, None)


@pytest.mark.slow
def test_the_snapshot_decides_while_the_database_is_away(instance: Instance, start_keeper: Any) -> None:
    add(instance, "5551234")
    add(instance, None, mailbox=OTHER)
    first: KeeperClient = start_keeper()
    snapshot = snapshot_path(instance.folder)
    until(lambda: find_in_snapshot(snapshot, [OTHER]), 20, "the snapshot knows the mailbox")
    first.stop()
    take_away(instance)
    keeper: KeeperClient = start_keeper()
    script, mailbox = keeper.find_script([OTHER], [OTHER])
    assert script is None
    assert mailbox is not None
    assert mailbox.extension == OTHER
    with pytest.raises(KeeperAway):
        keeper.find_script(["5551234"], [])
    bring_back(instance)
