"""Owners' calls over the keeper's socket: many at once, a store that hangs, a portal that changes things meanwhile."""

from __future__ import annotations

import inspect
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select

from app.extensions import db
from app.jobs import run
from app.models import Delivery, Mailbox
from app.services import mailboxes, messages, purge
from tests.calls.spooled import finished
from tests.peers.instance import PIN, Instance
from tests.support import until
from voice import keeper_client, owner_client
from voice.errors import KeeperAway
from voice.keeper import PIN_REQUESTS
from voice.keeper_client import KeeperClient
from voice.mailbox import snapshot_path
from voice.owner import Forwarded, GreetingChange, GreetingKind, Messages, OwnerRequests, PinChange, Sound
from voice.owner_client import OwnerClient

pytestmark = pytest.mark.slow

EXTENSION, OTHER = "7001", "7002"
SOURCE = "7001@127.0.0.1"
PATIENCE = 60.0
PHONES = 20


def test_whatever_hashes_a_pin_holds_up_no_other_request() -> None:
    """Argon2 has threads of its own (docs/adr/0009)."""
    asked = {
        name: inspect.signature(method).parameters for name, method in vars(OwnerRequests).items() if name[0] != "_"
    }
    assert {name for name, parameters in asked.items() if {"pin", "old"} & set(parameters)} == PIN_REQUESTS


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """An instance with two mailboxes."""
    made = Instance(tmp_path / "instance")
    for extension in (EXTENSION, OTHER):
        made.mailbox(extension)
    return made


@pytest.fixture
def keeper(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeeperClient]:
    """A keeper that answers."""
    for name, value in instance.environment.items():
        monkeypatch.setenv(name, value)
    # A busy machine may be slower than a caller's patience.
    for name in ("LOOK_UP_SECONDS", "SAVE_SECONDS"):
        monkeypatch.setattr(keeper_client, name, PATIENCE)
    client = KeeperClient(snapshot_path(instance.folder))
    client.start()
    try:
        assert client.wait_ready(PATIENCE, lambda: False)
        yield client
    finally:
        client.stop()


@pytest.fixture
def owners(keeper: KeeperClient, monkeypatch: pytest.MonkeyPatch) -> OwnerClient:
    """What owners' flows ask."""
    for name in ("ANSWER_SECONDS", "PIN_SECONDS", "SOUND_SECONDS", "WRITE_SECONDS"):
        monkeypatch.setattr(owner_client, name, PATIENCE)
    return OwnerClient(keeper)


def leave(instance: Instance, keeper: KeeperClient, *, uploaded: bool = False) -> str:
    """A message in the owner's mailbox."""
    entry = finished(instance, EXTENSION)
    assert keeper.save(entry.id)
    entry.close()
    if uploaded:
        with instance.app.app_context():
            for row in db.session.scalars(select(Delivery).where(Delivery.message_id == entry.id)).all():
                run.deliver(row.id)
    return entry.id


def at_once(*acts: Callable[[], object]) -> list[object]:
    """What each act returned; they begin together."""
    start = threading.Barrier(len(acts))

    def begin(act: Callable[[], object]) -> object:
        start.wait(PATIENCE)
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(begin, acts))


def test_a_whole_call(instance: Instance, keeper: KeeperClient, owners: OwnerClient) -> None:
    first, second = leave(instance, keeper), leave(instance, keeper, uploaded=True)
    assert owners.log_in(EXTENSION, "9999", SOURCE) is None
    assert owners.open_own(EXTENSION) is None
    opened = owners.log_in(EXTENSION, PIN, SOURCE)
    assert opened is not None
    box = opened.mailbox_id
    counts = owners.counts(box)
    assert counts is not None
    assert (counts.new, counts.saved) == (2, 0)
    ids = owners.message_ids(box, Messages.NEW)
    assert set(ids) == {first, second}
    assert owners.message_ids(box, Messages.NEW, ids[0]) == ids[1:]
    facts = owners.message(box, first)
    assert facts is not None
    assert (facts.caller_number, facts.state, facts.received_at.isoformat()) == (
        "0301234567",
        Messages.NEW,
        "2026-11-23T10:00:00+00:00",
    )
    assert [owners.audio(box, each).sound for each in (first, second, "")] == [Sound.READY, Sound.READY, Sound.GONE]
    assert owners.save(box, first)
    assert owners.delete(box, second)
    assert owners.undelete(box, second)
    assert owners.forward(box, first, OTHER) is Forwarded.DONE
    other = owners.recipient(OTHER)
    assert other is not None
    assert (other.extension, other.name) == (OTHER, None)
    recording = finished(instance, EXTENSION).wav
    assert owners.set_greeting(box, GreetingKind.TEMPORARY, recording, 3) is GreetingChange.DONE
    greeting = owners.greeting(box, GreetingKind.TEMPORARY)
    assert greeting is not None
    assert greeting.audio.sound is Sound.READY
    assert greeting.ends_at is not None
    assert owners.remove_greeting(box, GreetingKind.TEMPORARY)
    assert owners.change_pin(box, PIN, "1111", SOURCE) is PinChange.ALL_THE_SAME
    assert owners.change_pin(box, PIN, "582914", SOURCE) is PinChange.DONE
    third = leave(instance, keeper)
    arrival = owners.arrived(box, opened.marker)
    assert third in arrival.ids
    assert owners.arrived(box, arrival.marker).ids == ()
    assert owners.delete_saved(box) == (first,)


def test_twenty_phones_at_once_in_one_mailbox(instance: Instance, keeper: KeeperClient, owners: OwnerClient) -> None:
    made = [leave(instance, keeper, uploaded=number == 0) for number in range(2)]

    def listen() -> tuple[Sound, ...]:
        opened = owners.log_in(EXTENSION, PIN, SOURCE)
        assert opened is not None
        sounds = tuple(owners.audio(opened.mailbox_id, each).sound for each in made)
        assert owners.save(opened.mailbox_id, made[0])
        assert owners.delete(opened.mailbox_id, made[1])
        return sounds

    assert at_once(*[listen] * PHONES) == [(Sound.READY, Sound.READY)] * PHONES
    with instance.app.app_context():
        counted = messages.counts(EXTENSION)
    assert (counted["new"], counted["saved"], counted["trash"]) == (0, 1, 1)


def test_twenty_guessers_get_five_guesses(instance: Instance, owners: OwnerClient) -> None:
    assert at_once(*[lambda: owners.log_in(EXTENSION, "9999", SOURCE)] * PHONES) == [None] * PHONES
    assert owners.log_in(EXTENSION, PIN, SOURCE) is None
    with instance.app.app_context():
        box = db.session.scalars(select(Mailbox).where(Mailbox.extension == EXTENSION)).one()
        assert box.phone_locked_until is not None
        assert box.phone_locks == 1


def test_a_hundred_pins_hold_up_no_look_up_and_no_commit(
    instance: Instance, keeper: KeeperClient, owners: OwnerClient
) -> None:
    with ThreadPoolExecutor(100) as pool:
        checks = [pool.submit(owners.log_in, EXTENSION, PIN, SOURCE) for _ in range(100)]
        assert keeper.find_mailbox([EXTENSION]) is not None
        leave(instance, keeper)
        # They were answered before the PINs that came first.
        assert not all(check.done() for check in checks)
        assert all(check.result() is not None for check in checks)


def test_a_store_that_hangs_is_said_to_be_away_and_holds_up_nobody_else(
    instance: Instance, keeper: KeeperClient, owners: OwnerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded, spooled = leave(instance, keeper, uploaded=True), leave(instance, keeper)
    opened = owners.log_in(EXTENSION, PIN, SOURCE)
    assert opened is not None
    (path,) = instance.settings.storage.folder.rglob(f"{uploaded}.wav")
    aside = path.with_suffix(".aside")
    path.rename(aside)
    # Whoever opens a pipe that nobody writes to waits.
    os.mkfifo(path)
    monkeypatch.setattr(owner_client, "SOUND_SECONDS", 0.3)
    try:
        assert owners.audio(opened.mailbox_id, uploaded).sound is Sound.AWAY
        monkeypatch.setattr(owner_client, "SOUND_SECONDS", PATIENCE)
        assert owners.audio(opened.mailbox_id, spooled).sound is Sound.READY
        assert owners.save(opened.mailbox_id, uploaded)
    finally:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        aside.replace(path)
    until(lambda: owners.audio(opened.mailbox_id, uploaded).sound is Sound.READY, PATIENCE, "the store is back")


def test_what_the_portal_deletes_and_purges_while_it_plays(
    instance: Instance, keeper: KeeperClient, owners: OwnerClient
) -> None:
    message_id = leave(instance, keeper)
    opened = owners.log_in(EXTENSION, PIN, SOURCE)
    assert opened is not None
    assert owners.audio(opened.mailbox_id, message_id).sound is Sound.READY
    with instance.app.app_context():
        messages.trash(message_id, actor="portal")
    assert not owners.save(opened.mailbox_id, message_id)
    facts = owners.message(opened.mailbox_id, message_id)
    assert facts is not None
    assert facts.deleted
    with instance.app.app_context():
        purge.purge(message_id)
    assert owners.message(opened.mailbox_id, message_id) is None
    assert owners.audio(opened.mailbox_id, message_id).sound is Sound.GONE
    assert not owners.undelete(opened.mailbox_id, message_id)
    assert owners.forward(opened.mailbox_id, message_id, OTHER) is Forwarded.GONE


def test_a_pin_that_the_portal_changes_in_mid_call(instance: Instance, owners: OwnerClient) -> None:
    opened = owners.log_in(EXTENSION, PIN, SOURCE)
    assert opened is not None
    with instance.app.app_context():
        mailboxes.reset_pin(EXTENSION, "773311", actor="portal")
    assert owners.change_pin(opened.mailbox_id, PIN, "582914", SOURCE) is PinChange.WRONG
    assert owners.counts(opened.mailbox_id) is not None
    assert owners.log_in(EXTENSION, "773311", SOURCE) is not None


def test_what_nobody_waits_for_any_more_is_not_begun(
    instance: Instance, keeper: KeeperClient, owners: OwnerClient
) -> None:
    message_id = leave(instance, keeper)
    opened = owners.log_in(EXTENSION, PIN, SOURCE)
    assert opened is not None
    asked = {"mailbox_id": opened.mailbox_id, "message_id": message_id}
    keeper._send({"id": 0, "ask": "owner", "name": "save", "until": time.monotonic() - 1, "arguments": asked})
    assert owners.message_ids(opened.mailbox_id, Messages.NEW) == (message_id,)


def test_requests_that_make_no_sense_end_nothing(keeper: KeeperClient, owners: OwnerClient) -> None:
    for name, arguments in (("no such", {}), ("save", {}), ("counts", {"mailbox_id": ["x"]}), ("tidy", {})):
        with pytest.raises(KeeperAway):
            keeper.ask_owner(PATIENCE, name, arguments)
    assert owners.recipient(EXTENSION) is not None


def test_without_a_keeper_everything_is_away(tmp_path: Path) -> None:
    owners = OwnerClient(KeeperClient(tmp_path / "snapshot.json"))
    with pytest.raises(KeeperAway):
        owners.log_in(EXTENSION, PIN, SOURCE)
    assert owners.audio("box", "message").sound is Sound.AWAY
