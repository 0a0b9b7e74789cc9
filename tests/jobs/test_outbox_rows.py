"""Which deliveries events owe, on every database; and that they start right after the commit, and only then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import select

from app.database import writing
from app.extensions import db
from app.jobs import queue
from app.models import Delivery, Event, Mailbox, Webhook
from app.models.base import utc_now
from app.models.webhook import GLOBAL
from app.services import events, greetings, mailboxes, messages, outbox_rows, owner_messages, phone_access
from tests.conftest import PIN, leave_message
from tests.jobs.owed import settings_of
from tests.services.sounds import encoded, tone

URL = "https://general.example/hook"


@pytest.fixture
def told(any_app: Flask) -> Flask:
    """With a mail server and a webhook in the settings."""
    configure(any_app, host="mail.example", url=URL)
    return any_app


@pytest.fixture
def box(any_app: Flask) -> str:
    """The id of mailbox 1001, of two people."""
    return make_box("a@example.com, b@example.com")


def make_box(email: str) -> str:
    """Mailbox 1001 with this column; its id."""
    mailbox_id = mailboxes.create("1001", pin=PIN, actor="test").id
    with writing():
        db.session.get_one(Mailbox, mailbox_id).email = email
    return mailbox_id


def configure(app: Flask, *, host: str, url: str) -> None:
    settings = settings_of(app)
    app.extensions["settings"] = replace(
        settings, smtp=replace(settings.smtp, host=host), webhook=replace(settings.webhook, url=url)
    )


def owed(**which: object) -> list[tuple[str, str, str]]:
    """Kind, target and state of deliveries, in their order."""
    query = select(Delivery).filter_by(**which).order_by(Delivery.position, Delivery.target)
    rows = [(row.kind, row.target, row.state) for row in db.session.scalars(query)]
    db.session.rollback()
    return rows


def reasons(kind: str) -> list[str]:
    return list(db.session.scalars(select(Delivery.last_error).where(Delivery.kind == kind)))


def own_webhook(mailbox_id: str, **facts: object) -> None:
    with writing():
        db.session.add(Webhook(scope=mailbox_id, url="https://own.example/hook", **facts))


class TestNewMessage:
    """What a message owes."""

    def test_a_mail_to_each_address_and_a_call_of_each_webhook(self, told: Flask, box: str) -> None:
        own_webhook(box)
        one = leave_message(told, "1001", uploaded=False)
        host = settings_of(told).host_name
        hooks = sorted([GLOBAL, box])
        assert owed(message_id=one) == [
            ("upload", host, "pending"),
            ("email", "a@example.com", "pending"),
            ("email", "b@example.com", "pending"),
            *(("webhook", scope, "pending") for scope in hooks),
        ]
        keys = list(db.session.scalars(select(Delivery.idempotency_key)))
        assert len(set(keys)) == 5
        assert len(set(db.session.scalars(select(Delivery.event_id)))) == 1

    def test_an_address_that_is_written_twice_gets_one_mail(self, told: Flask) -> None:
        make_box("a@example.com, a@example.com")
        one = leave_message(told, "1001", uploaded=False)
        assert owed(message_id=one, kind="email") == [("email", "a@example.com", "pending")]

    def test_what_is_not_to_be_made_says_why(self, any_app: Flask, box: str) -> None:
        one = leave_message(any_app, "1001", uploaded=False)
        assert owed(message_id=one)[1:] == [("email", "", "skipped"), ("webhook", "", "skipped")]
        assert reasons("email") == ["e-mail is not set up"]
        assert reasons("webhook") == ["no webhook is set up"]

    def test_a_mailbox_without_an_address(self, told: Flask) -> None:
        mailboxes.create("1001", pin=PIN, actor="test")
        leave_message(told, "1001", uploaded=False)
        assert reasons("email") == ["the mailbox has no e-mail address"]

    def test_a_webhook_that_was_switched_off_is_not_called(self, told: Flask, box: str) -> None:
        own_webhook(box, off_at=utc_now())
        with writing():
            db.session.add(Webhook(scope=GLOBAL, url=outbox_rows.mark_of(URL), off_at=utc_now()))
        one = leave_message(told, "1001", uploaded=False)
        assert owed(message_id=one, kind="webhook") == [("webhook", "", "skipped")]

    def test_but_another_url_in_the_settings_is(self, told: Flask, box: str) -> None:
        with writing():
            db.session.add(Webhook(scope=GLOBAL, url=outbox_rows.mark_of("https://before.example/"), off_at=utc_now()))
        one = leave_message(told, "1001", uploaded=False)
        assert owed(message_id=one, kind="webhook") == [("webhook", GLOBAL, "pending")]


class TestOtherEvents:
    """What is told of what happens later."""

    def test_webhooks_hear_of_reading_and_deleting(self, told: Flask, box: str) -> None:
        one = leave_message(told, "1001", uploaded=False)
        messages.mark(one, "saved", actor="test")
        messages.trash(one, actor="test")
        for event in ("message.read", "message.deleted"):
            assert owed(event=event) == [("webhook", GLOBAL, "pending")]
            delivery = db.session.scalars(select(Delivery).filter_by(event=event)).one()
            assert db.session.scalars(select(Event).filter_by(id=delivery.event_id)).one().message_id == one

    def test_nobody_hears_of_what_no_receiver_knows(self, told: Flask, box: str) -> None:
        one = leave_message(told, "1001", uploaded=False)
        messages.mark(one, "saved", actor="test")
        messages.mark(one, "new", actor="test")
        messages.trash(one, actor="test")
        messages.restore(one, actor="test")
        assert set(db.session.scalars(select(Delivery.event))) == {"message.created", "message.read", "message.deleted"}

    def test_each_message_of_a_whole_inbox_that_is_deleted(self, told: Flask, box: str) -> None:
        saved = [leave_message(told, "1001", uploaded=False, seconds=0.1) for _ in range(3)]
        for one in saved:
            messages.mark(one, "saved", actor="test")
        own_webhook(box)
        owner_messages.delete_saved(box)
        rows = list(db.session.scalars(select(Delivery).filter_by(event="message.deleted")))
        assert sorted((row.message_id, row.target) for row in rows) == sorted(
            (one, scope) for one in saved for scope in (GLOBAL, box)
        )
        assert len({row.idempotency_key for row in rows}) == 6

    def test_without_receivers_nothing_is_written(self, any_app: Flask, box: str) -> None:
        one = leave_message(any_app, "1001", uploaded=False)
        messages.mark(one, "saved", actor="test")
        assert owed(event="message.read") == []

    def test_owners_hear_of_a_lock_and_of_a_new_greeting(self, told: Flask, box: str) -> None:
        for _ in range(phone_access.FAILURES):
            phone_access.log_in("1001", "902817", "test")
        greetings.set_greeting("1001", encoded(tone()), actor="test")
        for event in ("mailbox.locked", "greeting.changed"):
            assert owed(event=event) == [("email", "a@example.com", "pending"), ("email", "b@example.com", "pending")]
            assert set(db.session.scalars(select(Delivery.message_id).where(Delivery.event == event))) == {None}


class TestStart:
    """When the rows reach their queues."""

    @pytest.fixture
    def waiting(self, any_app: Flask, valkey: str) -> Iterator[Callable[[str], list[str]]]:
        """Ids of the deliveries in a queue, of an application whose Redis is there."""
        any_app.extensions["settings"] = replace(settings_of(any_app), redis_url=valkey)
        queue._outage.ended()

        def waiting(name: str) -> list[str]:
            with Redis.from_url(valkey) as connection:
                ids = Queue(name, connection=connection, serializer=JSONSerializer).job_ids
            return [job_id.removeprefix("delivery-").removesuffix("-0") for job_id in ids]

        yield waiting
        queue._outage.ended()

    def test_right_after_the_commit_what_comes_first(
        self, told: Flask, box: str, waiting: Callable[[str], list[str]]
    ) -> None:
        one = leave_message(told, "1001", uploaded=False)
        uploads = waiting(f"upload.{settings_of(told).host_name}")
        assert uploads == list(db.session.scalars(select(Delivery.id).filter_by(message_id=one, kind="upload")))
        assert waiting("email") == waiting("webhook") == []
        messages.mark(one, "saved", actor="test")
        assert waiting("webhook") == list(db.session.scalars(select(Delivery.id).filter_by(event="message.read")))

    def test_not_after_a_rollback(self, told: Flask, box: str, waiting: Callable[[str], list[str]]) -> None:
        def broken() -> None:
            with writing():
                events.record(events.MAILBOX_FULL, box)
                db.session.flush()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            broken()
        assert owed(event="mailbox.full") == []
        assert waiting("email") == []
        with writing():
            events.record(events.MAILBOX_NEARLY_FULL, box)
        rows = list(db.session.scalars(select(Delivery.id).filter_by(event="mailbox.nearly_full")))
        assert sorted(waiting("email")) == sorted(rows)
        assert len(rows) == 2

    def test_not_before_the_commit(self, told: Flask, box: str, waiting: Callable[[str], list[str]]) -> None:
        with writing():
            events.record(events.MAILBOX_FULL, box)
            db.session.flush()
            assert waiting("email") == []
        assert len(waiting("email")) == 2
