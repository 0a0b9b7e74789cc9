"""What an owner's call gets from the application, and what its requests leave behind in database, spool and store."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, update

from app.database import writing
from app.extensions import db
from app.jobs import run
from app.models import Delivery, Event, Mailbox, Message
from app.models.base import utc_now
from app.services import mailboxes, messages, purge
from app.services.mailbox_options import Options
from tests.calls.spooled import finished
from tests.peers.instance import PIN, Instance
from voice.errors import SpoolError
from voice.media.g711 import Law
from voice.owner import Forwarded, GreetingChange, GreetingKind, Messages, OwnerRequests, PinChange, Sound
from voice.owner_store import REQUESTS, OwnerStore
from voice.prompts import payload_path
from voice.store import Store

EXTENSION, OTHER = "7001", "7002"
SOURCE = "7001@127.0.0.1"


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    """An instance with two mailboxes."""
    made = Instance(tmp_path / "instance", VOICEMAIL__PHONE__OPERATOR="100")
    for extension in (EXTENSION, OTHER):
        made.mailbox(extension)
    return made


@pytest.fixture
def store(instance: Instance) -> Iterator[Store]:
    """The door that takes come through."""
    made = Store(instance.settings)
    yield made
    with made.context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def owners(instance: Instance, store: Store) -> OwnerStore:
    """What answers owners' calls."""
    return OwnerStore(instance.settings, store)


@pytest.fixture
def box_id(instance: Instance) -> str:
    """The id of the owner's mailbox."""
    return box_of(instance, EXTENSION)


def box_of(instance: Instance, extension: str) -> str:
    with instance.app.app_context():
        return mailboxes.get(extension).id


def leave(instance: Instance, store: Store, *, uploaded: bool = False) -> str:
    """A message in the owner's mailbox, in the spool still or in the store."""
    entry = finished(instance, EXTENSION)
    assert store.save(entry.id)
    entry.close()
    if uploaded:
        deliver(instance, entry.id)
    return entry.id


def deliver(instance: Instance, message_id: str) -> None:
    with instance.app.app_context():
        for row in db.session.scalars(select(Delivery).where(Delivery.message_id == message_id)).all():
            run.deliver(row.id)


def change(instance: Instance, extension: str = EXTENSION, **options: Any) -> None:
    with instance.app.app_context():
        mailboxes.update(
            extension, name="", email="", language="en", timezone="Asia/Tokyo", options=Options(**options), actor="test"
        )


def told(instance: Instance, mailbox_id: str) -> list[str]:
    with instance.app.app_context():
        return list(
            db.session.scalars(select(Event.event).where(Event.mailbox_id == mailbox_id).order_by(Event.number))
        )


def test_every_request_of_the_flows_has_an_answer() -> None:
    asked = {name for name in vars(OwnerRequests) if not name.startswith("_")}
    assert asked == REQUESTS
    assert all(callable(getattr(OwnerStore, name)) for name in REQUESTS)


def test_nothing_else_is_answered(owners: OwnerStore) -> None:
    for name in ("tidy", "answer", "__init__", "", "_audio"):
        with pytest.raises(ValueError, match="unknown request"):
            owners.answer(name, {})


def test_an_opened_mailbox_says_what_its_calls_go_by(instance: Instance, owners: OwnerStore, box_id: str) -> None:
    change(instance, operator="200", speaks_envelope=False, max_messages="1", aliases="8001")
    opened = owners.answer("log_in", {"extension": "8001", "pin": PIN, "source": SOURCE})
    assert (opened.mailbox_id, opened.extension, opened.timezone) == (box_id, EXTENSION, "Asia/Tokyo")
    assert (opened.envelope, opened.operator, opened.full) == (False, "200", False)
    assert (opened.pin_shortest, opened.pin_longest) == (4, 8)
    change(instance)
    opened = owners.answer("log_in", {"extension": EXTENSION, "pin": PIN, "source": SOURCE})
    assert (opened.envelope, opened.operator) == (True, "100")
    assert owners.answer("log_in", {"extension": EXTENSION, "pin": "9999", "source": SOURCE}) is None


def test_a_full_mailbox_is_said_to_be_full(instance: Instance, store: Store, owners: OwnerStore) -> None:
    change(instance, max_messages="1", trusts_own_phone=True)
    leave(instance, store)
    opened = owners.answer("open_own", {"extension": EXTENSION})
    assert (opened.full, opened.nearly_full) == (True, True)
    facts = store.find_mailbox([EXTENSION])
    assert facts is not None
    assert facts.full
    assert facts.seconds_left is None


def test_a_call_knows_how_many_seconds_are_left(instance: Instance, store: Store) -> None:
    leave(instance, store)
    with instance.app.app_context():
        used = sum(db.session.scalars(select(Message.duration)))
    assert used > 0
    change(instance, max_seconds="60")
    facts = store.find_mailbox([EXTENSION])
    assert facts is not None
    assert not facts.full
    assert facts.seconds_left == pytest.approx(60 - used)


@pytest.mark.parametrize("uploaded", [False, True])
def test_audio_is_ready_to_be_played(
    instance: Instance, store: Store, owners: OwnerStore, box_id: str, uploaded: bool
) -> None:
    message_id = leave(instance, store)
    payload = instance.spooled(instance.messages(EXTENSION)[0])
    if uploaded:
        deliver(instance, message_id)
    audio = owners.answer("audio", {"mailbox_id": box_id, "message_id": message_id})
    assert audio.sound is Sound.READY
    assert payload_path(audio.path, Law.PCMU).read_bytes() == payload


def test_a_message_of_another_mailbox_has_no_audio(instance: Instance, store: Store, owners: OwnerStore) -> None:
    message_id = leave(instance, store)
    other = box_of(instance, OTHER)
    for mailbox_id, wanted in ((other, message_id), (other, ""), ("", "\0")):
        assert owners.answer("audio", {"mailbox_id": mailbox_id, "message_id": wanted}).sound is Sound.GONE
        assert owners.answer("message", {"mailbox_id": mailbox_id, "message_id": wanted}) is None


def test_a_message_that_is_broken_can_be_deleted(
    instance: Instance, store: Store, owners: OwnerStore, box_id: str
) -> None:
    message_id = leave(instance, store)
    (instance.settings.spool_dir / f"{message_id}.wav").write_bytes(b"what was left of it")
    asked = {"mailbox_id": box_id, "message_id": message_id}
    assert owners.answer("audio", asked).sound is Sound.BROKEN
    assert owners.answer("delete", asked) is True
    assert owners.answer("message", asked).deleted


def test_a_store_that_is_away_is_said_to_be(instance: Instance, store: Store, owners: OwnerStore, box_id: str) -> None:
    message_id = leave(instance, store, uploaded=True)
    folder = instance.settings.storage.folder
    folder.rename(folder.with_name("aside"))
    asked = {"mailbox_id": box_id, "message_id": message_id}
    assert owners.answer("audio", asked).sound is Sound.AWAY
    assert owners.answer("forward", asked | {"extension": OTHER}) is Forwarded.AWAY
    folder.with_name("aside").rename(folder)
    assert owners.answer("audio", asked).sound is Sound.READY


@pytest.mark.parametrize("uploaded", [False, True])
def test_a_copy_outlives_the_message_it_was_made_of(
    instance: Instance, store: Store, owners: OwnerStore, box_id: str, uploaded: bool
) -> None:
    message_id = leave(instance, store, uploaded=uploaded)
    asked = {"mailbox_id": box_id, "message_id": message_id, "extension": OTHER}
    assert owners.answer("forward", asked) is Forwarded.DONE
    with instance.app.app_context():
        purge.purge(message_id)
    copy = instance.message(OTHER)
    deliver(instance, copy.id)
    copy = instance.message(OTHER)
    assert copy.storage_key
    assert (copy.id != message_id, copy.forwarded_from, copy.forwarded_by) == (True, message_id, EXTENSION)
    assert (copy.caller_number, copy.caller_name, copy.state) == ("0301234567", "Carla", "new")
    told_to_its_owner = owners.answer("message", {"mailbox_id": copy.mailbox_id, "message_id": copy.id})
    assert told_to_its_owner.forwarded_by == EXTENSION
    with instance.app.app_context():
        found = db.session.get_one(Message, copy.id)
        assert len(b"".join(messages.open_audio(found).blocks())) == copy.size
    assert told(instance, box_id) == ["message.created", "message.forwarded", "message.purged"]
    assert told(instance, copy.mailbox_id) == ["message.created"]


def test_the_same_wish_twice_makes_one_copy(instance: Instance, store: Store, owners: OwnerStore, box_id: str) -> None:
    """The first answer came too late, so the owner asked again; or whoever asked has long given up."""
    message_id = leave(instance, store)
    asked = {"mailbox_id": box_id, "message_id": message_id, "extension": OTHER}
    assert owners.answer("forward", asked, time.monotonic() - 1) is Forwarded.AWAY
    assert instance.messages(OTHER) == []
    assert [owners.answer("forward", asked, time.monotonic() + 9) for _ in range(2)] == [Forwarded.DONE] * 2
    assert len(instance.messages(OTHER)) == 1
    with instance.app.app_context():
        long_ago = utc_now() - timedelta(minutes=2)
        db.session.execute(update(Message).where(Message.forwarded_from == message_id).values(created_at=long_ago))
        db.session.commit()
    assert owners.answer("forward", asked) is Forwarded.DONE
    assert len(instance.messages(OTHER)) == 2


def test_where_no_copy_is_made(instance: Instance, store: Store, owners: OwnerStore, box_id: str) -> None:
    message_id = leave(instance, store)
    change(instance, OTHER, announcement_only=True)
    asked = {"mailbox_id": box_id, "message_id": message_id}
    assert owners.answer("forward", asked | {"extension": "9999"}) is Forwarded.UNKNOWN
    assert owners.answer("forward", asked | {"extension": OTHER}) is Forwarded.REFUSED
    assert owners.answer("forward", asked | {"message_id": "", "extension": OTHER}) is Forwarded.GONE
    assert instance.messages(OTHER) == []


def test_a_copy_that_was_broken_off_is_no_message(
    instance: Instance, store: Store, owners: OwnerStore, box_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = leave(instance, store)

    def full(*_: object) -> None:
        raise OSError(28, "no space left on the device")

    monkeypatch.setattr(shutil, "copyfile", full)
    asked = {"mailbox_id": box_id, "message_id": message_id, "extension": OTHER}
    assert owners.answer("forward", asked) is Forwarded.AWAY
    monkeypatch.undo()
    assert store.reconcile() == 0
    assert instance.messages(OTHER) == []
    assert sorted(path.suffix for path in instance.settings.spool_dir.glob("*.*")) == [".json", ".wav"]


def test_a_copy_whose_commit_fails_follows(
    instance: Instance, store: Store, owners: OwnerStore, box_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = leave(instance, store)

    def away(_: str) -> bool:
        raise SpoolError("the database refuses it")

    monkeypatch.setattr(store, "save", away)
    asked = {"mailbox_id": box_id, "message_id": message_id, "extension": OTHER}
    assert owners.answer("forward", asked) is Forwarded.DONE
    monkeypatch.undo()
    assert store.reconcile() == 1
    assert instance.message(OTHER).forwarded_from == message_id


def test_what_was_purged_leaves_the_cache(instance: Instance, store: Store, owners: OwnerStore, box_id: str) -> None:
    kept, purged = (leave(instance, store, uploaded=True) for _ in range(2))
    paths = [owners.answer("audio", {"mailbox_id": box_id, "message_id": each}).path for each in (kept, purged)]
    with instance.app.app_context():
        purge.purge(purged)
    owners.tidy()
    assert [path.exists() for path in paths] == [True, False]
    assert [path.name for path in paths[1].parent.iterdir() if path.stem == purged] == []
    # An hour after it was heard for the last time.
    long_ago = time.time() - 3700
    os.utime(paths[0], (long_ago, long_ago))
    owners.tidy()
    assert list(paths[0].parent.iterdir()) == []


def test_a_recording_becomes_a_greeting_of_its_kind(
    instance: Instance, store: Store, owners: OwnerStore, box_id: str
) -> None:
    change(instance)
    recording = finished(instance, EXTENSION).wav
    for kind in GreetingKind:
        asked = {"mailbox_id": box_id, "kind": kind.value}
        assert owners.answer("greeting", asked) is None
        made = owners.answer("set_greeting", asked | {"recording": str(recording), "days": 2})
        assert made is GreetingChange.DONE
        found = owners.answer("greeting", asked)
        assert found.audio.sound is Sound.READY
        assert payload_path(found.audio.path, Law.PCMA).exists()
        assert (found.ends_at is not None) is (kind is GreetingKind.TEMPORARY)
    assert recording.exists()
    facts = store.find_mailbox([EXTENSION])
    assert facts is not None
    assert sorted(facts.greetings) == sorted(GreetingKind)
    ends_at = datetime.fromisoformat(facts.temporary_ends_at or "").astimezone(ZoneInfo("Asia/Tokyo"))
    assert (ends_at.hour, ends_at.minute) == (0, 0)
    assert 48 < (ends_at - datetime.now(UTC)).total_seconds() / 3600 <= 72
    assert owners.answer("remove_greeting", {"mailbox_id": box_id, "kind": "busy"}) is True
    assert owners.answer("remove_greeting", {"mailbox_id": box_id, "kind": "busy"}) is False
    assert told(instance, box_id) == ["greeting.changed"] * 5


def test_greetings_that_cannot_be_taken(instance: Instance, owners: OwnerStore, box_id: str, tmp_path: Path) -> None:
    asked = {"mailbox_id": box_id, "kind": "busy"}
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"no sound at all")
    for recording in (noise, tmp_path / "none.wav"):
        assert owners.answer("set_greeting", asked | {"recording": str(recording)}) is GreetingChange.BROKEN
    nobody = {"mailbox_id": "00000000-0000-4000-8000-000000000000", "kind": "busy"}
    assert owners.answer("set_greeting", nobody | {"recording": str(noise)}) is GreetingChange.GONE
    assert owners.answer("remove_greeting", nobody) is False
    assert owners.answer("greeting", asked) is None


def test_the_recipient_of_a_copy_may_have_a_name(instance: Instance, owners: OwnerStore, box_id: str) -> None:
    assert owners.answer("recipient", {"extension": "9999"}) is None
    assert owners.answer("recipient", {"extension": EXTENSION}).name is None
    recording = finished(instance, EXTENSION).wav
    owners.answer("set_greeting", {"mailbox_id": box_id, "kind": "name", "recording": str(recording)})
    found = owners.answer("recipient", {"extension": EXTENSION})
    assert found.extension == EXTENSION
    assert found.name.exists()


@pytest.mark.parametrize(
    ("new", "outcome"), [("582914", PinChange.DONE), ("12", PinChange.TOO_SHORT), ("", PinChange.TOO_SHORT)]
)
def test_the_pin_is_changed(owners: OwnerStore, box_id: str, new: str, outcome: PinChange) -> None:
    asked = {"mailbox_id": box_id, "old": PIN, "new": new, "source": SOURCE}
    assert owners.answer("change_pin", asked) is outcome


def test_what_waits_and_what_arrives(instance: Instance, store: Store, owners: OwnerStore, box_id: str) -> None:
    first = leave(instance, store)
    opened = owners.answer("log_in", {"extension": EXTENSION, "pin": PIN, "source": SOURCE})
    counts = owners.answer("counts", {"mailbox_id": box_id})
    assert (counts.new, counts.saved) == (1, 0)
    second = leave(instance, store)
    arrival = owners.answer("arrived", {"mailbox_id": box_id, "marker": opened.marker})
    assert arrival.ids == (second,)
    assert owners.answer("arrived", {"mailbox_id": box_id, "marker": arrival.marker}).ids == ()
    assert owners.answer("save", {"mailbox_id": box_id, "message_id": first}) is True
    assert owners.answer("message_ids", {"mailbox_id": box_id, "which": "saved"}) == (first,)
    assert owners.answer("message", {"mailbox_id": box_id, "message_id": first}).state is Messages.SAVED
    assert owners.answer("delete_saved", {"mailbox_id": box_id}) == (first,)
    assert owners.answer("undelete", {"mailbox_id": box_id, "message_id": first}) is True


def test_a_mailbox_that_was_deleted_in_mid_call(instance: Instance, owners: OwnerStore, box_id: str) -> None:
    with instance.app.app_context(), writing():
        box = db.session.get_one(Mailbox, box_id)
        box.live_extension, box.deleted_at = None, datetime.now(UTC)
    assert owners.answer("counts", {"mailbox_id": box_id}) is None
    asked = {"mailbox_id": box_id, "old": PIN, "new": "582914", "source": SOURCE}
    assert owners.answer("change_pin", asked) is PinChange.GONE
    assert owners.answer("pin_is", {"mailbox_id": box_id, "pin": PIN, "source": SOURCE}) is None
