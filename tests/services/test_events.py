"""Events: each change of a mailbox is one row in the commit that makes it, and lamps hear of it after that."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from flask import Flask
from sqlalchemy import select

from app import create_app
from app.errors import Invalid, NotFound
from app.extensions import db
from app.jobs import queue
from app.migrate import upgrade
from app.models import Event, Mailbox
from app.services import events, greetings, mailboxes, messages, owner_messages, phone_access, purge
from app.services.subscriptions import CHANNEL
from tests.services.sounds import encoded, tone
from tests.services.takes import saved, take
from tests.services.together import together
from tests.support import make_settings


def told() -> list[str]:
    return list(db.session.scalars(select(Event.event).order_by(Event.number)))


ACTS: dict[str, tuple[Callable[[str, Mailbox], object], list[str]]] = {
    "saved": (lambda each, _: messages.mark(each, "saved", actor="t"), [events.MESSAGE_READ]),
    "trashed": (lambda each, _: messages.trash(each, actor="t"), [events.MESSAGE_DELETED]),
    "purged": (lambda each, _: purge.purge(each), [events.MESSAGE_PURGED]),
    "saved by phone": (lambda each, box: owner_messages.save(box.id, each), [events.MESSAGE_READ]),
    "deleted by phone": (lambda each, box: owner_messages.delete(box.id, each), [events.MESSAGE_DELETED]),
    "PIN reset": (lambda *_: mailboxes.reset_pin("1001", "582914", actor="t"), [events.PIN_CHANGED]),
    "PIN changed": (lambda _, box: phone_access.change_pin(box.id, "4711", "582914", "s"), [events.PIN_CHANGED]),
}


@pytest.mark.parametrize("act", ACTS)
def test_a_change_is_one_event(box: Mailbox, act: str) -> None:
    message_id = saved()
    does, wanted = ACTS[act]
    does(message_id, box)
    does(message_id, box)
    assert told() == [events.MESSAGE_CREATED, *wanted] + ([events.PIN_CHANGED] if act == "PIN reset" else [])


def test_a_message_that_is_new_again_is_one_event(box: Mailbox) -> None:
    message_id = saved()
    messages.mark(message_id, "new", actor="t")
    messages.mark(message_id, "saved", actor="t")
    for _ in range(2):
        messages.mark(message_id, "new", actor="t")
    assert told() == [events.MESSAGE_CREATED, events.MESSAGE_READ, events.MESSAGE_UNREAD]
    last = events.recent(box.id, 1)[0]
    assert (last.message_id, last.data) == (message_id, "{}")


def test_another_end_of_the_temporary_greeting_is_a_change_of_it(box: Mailbox) -> None:
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    with pytest.raises(NotFound):
        greetings.set_end("1001", tomorrow, actor="t")
    greetings.set_greeting("1001", encoded(tone(1.0)), kind="temporary", actor="t")
    for refused in (tomorrow - timedelta(days=2), datetime.now(UTC) - timedelta(seconds=1)):
        with pytest.raises(Invalid):
            greetings.set_end("1001", refused, actor="t")
    assert told() == [events.GREETING_CHANGED]
    for ends_at in (tomorrow, None):
        greetings.set_end("1001", ends_at, actor="t")
        found = greetings.find("1001", "temporary")
        assert found is not None
        assert found.ends_at == ends_at
    assert told() == [events.GREETING_CHANGED] * 3
    last = events.recent(box.id, 1)[0]
    assert (last.mailbox_id, json.loads(last.data)) == (box.id, {"kind": "temporary", "removed": False})


def test_a_message_is_created_once_however_often_it_is_handed_over(any_app: Flask, box: Mailbox) -> None:
    found = take()
    together(any_app, *[lambda: messages.save_take(found)] * 4)
    assert told() == [events.MESSAGE_CREATED]


def test_a_recording_without_speech_is_none_until_it_is_kept(box: Mailbox) -> None:
    discarded = saved(discarded=True)
    assert told() == []
    messages.keep(discarded, actor="t")
    assert told() == [events.MESSAGE_CREATED]


def test_what_is_not_committed_is_not_told(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    message_id = saved()

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("app.services.audit.record", fail)
    with pytest.raises(ZeroDivisionError):
        messages.mark(message_id, "saved", actor="t")
    assert told() == [events.MESSAGE_CREATED]
    assert messages.get(message_id).state == "new"


def test_events_tell_nothing_of_the_caller(box: Mailbox) -> None:
    message_id = saved(caller_number="0309876", caller_name="Carla")
    messages.trash(message_id, actor="t")
    for event in db.session.scalars(select(Event)):
        assert "0309876" not in event.data
        assert "Carla" not in event.data
        assert isinstance(json.loads(event.data), dict)


def test_each_kind_of_greeting_is_one_of_its_own(app: Flask, mailbox: str) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with app.app_context():
        for kind in ("unavailable", "busy", "temporary", "name"):
            ends_at = tomorrow if kind == "temporary" else None
            greetings.set_greeting(mailbox, encoded(tone(1.0)), kind=kind, ends_at=ends_at, actor="t")
        for kind in ("unavailable", "busy", "temporary", "name"):
            found = greetings.find(mailbox, kind)
            assert found is not None
            assert (found.ends_at is not None) is (kind == "temporary")
        assert greetings.remove_greeting(mailbox, "busy", actor="t")
        assert not greetings.remove_greeting(mailbox, "busy", actor="t")
        assert greetings.find(mailbox, "busy") is None
        assert greetings.find(mailbox) is not None
        assert told() == [events.GREETING_CHANGED] * 5


@pytest.mark.parametrize(
    ("kind", "days", "field"), [("no such", None, "kind"), ("busy", 1, "ends_at"), ("temporary", -1, "ends_at")]
)
def test_a_greeting_that_makes_no_sense(app: Flask, mailbox: str, kind: str, days: int | None, field: str) -> None:
    ends_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with app.app_context():
        with pytest.raises(Invalid) as refused:
            greetings.set_greeting(mailbox, encoded(tone(1.0)), kind=kind, ends_at=ends_at, actor="t")
        assert list(refused.value.fields) == [field]


def test_lamps_hear_of_every_change_after_its_commit(tmp_path: Path, valkey: str) -> None:
    settings = make_settings(tmp_path, REDIS_URL=valkey)
    upgrade(settings)
    # A test before this one may have seen Redis away, after which nothing is tried for a moment.
    queue._outage.ended()
    with create_app(settings).app_context(), redis.Redis.from_url(valkey, decode_responses=True) as client:
        box_id = mailboxes.create("1001", pin="4711", actor="t").id
        with client.pubsub(ignore_subscribe_messages=True) as channel:
            channel.subscribe(CHANNEL)
            channel.get_message(timeout=5)
            message_id = saved()
            for act in (owner_messages.save, owner_messages.delete, owner_messages.undelete):
                assert act(box_id, message_id)
            owner_messages.delete_saved(box_id)
            heard = [channel.get_message(timeout=5) for _ in range(5)]
        assert [each and each["data"] for each in heard] == [box_id] * 5
        db.session.remove()
        db.engine.dispose()
