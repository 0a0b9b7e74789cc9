"""Webhooks on every database against real receivers: what is posted, and what becomes of each answer."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from app.delivery.webhook import retry_after
from app.extensions import db
from app.models import Attempt, Event, Webhook
from app.services import mailboxes, messages, purge, webhook_changes
from tests.delivery.hooked import (
    box,
    deliver,
    hook,
    message,
    owed,
    own_webhook,
    row,
    set_webhook,
    settings_of,
    verified,
)
from tests.net.receivers import Receiver, hang, receiving, reply, reset
from tests.support import free_port


@pytest.fixture
def receiver():
    with receiving(reply(200)) as receiver:
        yield receiver


@pytest.fixture
def everywhere(any_app, receiver: Receiver):
    """On each kind of database, the settings have a webhook, and mailbox 1001 is there."""
    set_webhook(any_app, receiver.url())
    box()
    return any_app


@pytest.fixture
def hooked(app, receiver: Receiver):
    """The same on SQLite."""
    with app.app_context():
        set_webhook(app, receiver.url())
        box()
        yield app


def test_what_is_posted(hooked, receiver):
    message_id = message(hooked, urgent=True, caller_name="Zoë")
    [left] = deliver(message_id)
    assert (left.state, left.attempts, left.last_error) == ("done", 1, "")
    [request] = receiver.requests
    event = verified(request, hook().secret, time.time())
    found = messages.get(message_id)
    created = db.session.scalars(select(Event).filter_by(id=left.event_id)).one()
    audio_url, expires = event["message"].pop("audio_url"), event["message"].pop("audio_expires_at")
    assert event == {
        "id": left.event_id,
        "event": "message.created",
        "created_at": created.created_at.isoformat(),
        "mailbox": {"id": found.mailbox_id, "extension": "1001", "name": "Änne 王"},
        "message": {
            "id": message_id,
            "extension": "1001",
            "caller": "0301234567",
            "caller_name": "Zoë",
            "received_at": found.received_at.isoformat(),
            "duration": round(found.duration, 3),
            "status": "new",
            "urgent": True,
        },
    }
    headers = request.headers
    assert (request.method, request.target, headers["content-type"]) == ("POST", "/hook", "application/json")
    assert headers["idempotency-key"] == left.idempotency_key
    assert headers["user-agent"].startswith("Voicemail-Pro/")
    assert audio_url.startswith(f"{settings_of(hooked).public_url}/api/voicemail/links/{message_id}/audio?")
    in_a_day = datetime.now(UTC) + timedelta(hours=24)
    assert abs((datetime.fromisoformat(expires) - in_a_day).total_seconds()) < 60
    parts = urlsplit(audio_url)
    audio = hooked.test_client().get(f"{parts.path}?{parts.query}")
    assert (audio.status_code, audio.content_type, audio.data[:4]) == (200, "audio/wav", b"RIFF")


def test_another_secret_or_body_is_noticed(hooked, receiver):
    deliver(message(hooked))
    [request] = receiver.requests
    with pytest.raises(AssertionError, match="signature"):
        verified(request, "another", time.time())
    with pytest.raises(AssertionError, match="old"):
        verified(request, hook().secret, time.time() + 1000)


def test_reading_and_deleting_are_told(everywhere, receiver):
    message_id = message(everywhere)
    messages.mark(message_id, "saved", actor="test")
    messages.trash(message_id, actor="test")
    [read], [deleted] = deliver(message_id, "message.read"), deliver(message_id, "message.deleted")
    assert (read.state, deleted.state) == ("done", "done")
    told = [verified(request, hook().secret, time.time()) for request in receiver.requests]
    assert [event["event"] for event in told] == ["message.read", "message.deleted"]
    assert [event["message"]["status"] for event in told] == ["saved", "saved"]
    assert told[0]["message"]["audio_url"]
    assert told[1]["message"]["audio_url"] is told[1]["message"]["audio_expires_at"] is None


def test_the_key_is_the_same_at_each_try_and_the_history_is_kept(everywhere, receiver):
    receiver.play(reply(500), reset, reply(200))
    message_id = message(everywhere)
    states = [deliver(message_id)[0].state for _ in range(3)]
    assert states == ["pending", "pending", "done"]
    assert len({request.headers["idempotency-key"] for request in receiver.requests}) == 1
    assert len({verified(request, hook().secret, time.time())["id"] for request in receiver.requests}) == 1
    errors = list(db.session.scalars(select(Attempt.error).where(Attempt.error != "").order_by(Attempt.number)))
    assert errors[0] == f"127.0.0.1:{receiver.port} answered 500 Internal Server Error."
    assert "reset" in errors[1]


@pytest.mark.parametrize("status", [201, 202, 204, 299])
def test_any_2xx_is_success(hooked, receiver, status):
    receiver.play(reply(status))
    assert deliver(message(hooked))[0].state == "done"


@pytest.mark.parametrize("status", [301, 400, 401, 404, 405, 408, 422, 500, 503, 599])
def test_everything_else_is_tried_again(app, receiver, status):
    with app.app_context():
        set_webhook(app, receiver.url())
        box()
        receiver.play(reply(status, b"<h1>secret things of the receiver</h1>"))
        [left] = deliver(message(app))
        assert left.state == "pending"
        assert left.last_error.startswith(f"127.0.0.1:{receiver.port} answered {status}")
        assert "secret things" not in left.last_error


def test_redirects_are_not_followed(hooked, receiver):
    receiver.play(reply(302, Location="http://169.254.169.254/latest/meta-data"))
    [left] = deliver(message(hooked))
    assert left.state == "pending"
    assert "302 Found: redirects are not followed" in left.last_error
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_wish_for_a_pause_is_obeyed(hooked, receiver, status):
    receiver.play(reply(status, Retry_After="120"))
    [left] = deliver(message(hooked))
    assert 119 < (left.next_try_at - left.started_at).total_seconds() < 200


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("86400", 3600),
        ("9" * 500, 3600),
        (format_datetime(datetime.fromtimestamp(1_000_090, UTC), usegmt=True), 90),
        (format_datetime(datetime.fromtimestamp(999_000, UTC), usegmt=True), 0),
        *[(junk, None) for junk in ("", "soon", "-5", "1.5", "٣", "Mon, 99 Foo 2026", "nan")],
    ],
)
def test_pauses_in_seconds_and_as_dates(text, seconds):
    assert retry_after(text, 1_000_000) == seconds


class TestGone:
    """A 410 switches the webhook off."""

    def test_that_of_the_settings(self, everywhere, receiver, caplog):
        receiver.play(reply(410))
        first, waiting = message(everywhere), message(everywhere)
        with caplog.at_level(logging.WARNING):
            [left] = deliver(first)
        assert (left.state, left.last_error) == (
            "failed",
            f"127.0.0.1:{receiver.port} answered 410 Gone: the webhook is switched off.",
        )
        assert "is switched off" in caplog.text
        assert receiver.url() not in row().url
        [other] = deliver(waiting)
        assert (other.state, other.last_error) == ("skipped", "the webhook is switched off")
        assert [later.state for later in owed(message(everywhere))] == ["skipped"]
        assert len(receiver.requests) == 1

    def test_until_somebody_switches_it_on(self, everywhere, receiver):
        receiver.play(reply(410), reply(200))
        deliver(message(everywhere))
        webhook_changes.switch_on(None, actor="test")
        assert deliver(message(everywhere))[0].state == "done"

    def test_until_the_settings_have_another_address(self, hooked, receiver):
        receiver.play(reply(410), reply(200))
        deliver(message(hooked))
        set_webhook(hooked, receiver.url("/new"))
        assert deliver(message(hooked))[0].state == "done"
        assert receiver.requests[-1].target == "/new"

    def test_that_of_a_mailbox_leaves_the_others(self, everywhere, receiver):
        with receiving(reply(410)) as own:
            own_webhook("1001", own.url())
            general, mine = deliver(message(everywhere))
        assert (general.state, mine.state) == ("done", "failed")
        assert row(mine.target).off_at is not None
        assert row("global").off_at is None

    def test_not_one_that_leads_elsewhere_by_now(self, any_app):
        mailbox_id = box()
        set_webhook(any_app)

        def changed_meanwhile(receiver, connection):
            with any_app.app_context():
                own_webhook("1001", receiver.url("/new"))
            reply(410)(receiver, connection)

        with receiving(changed_meanwhile) as receiver:
            own_webhook("1001", receiver.url("/old"))
            assert deliver(message(any_app))[0].state == "failed"
        assert row(mailbox_id).off_at is None


class TestBadReceivers:
    """No answer: always in a sentence, always tried again."""

    def left(self, app, url, seconds=10.0):
        set_webhook(app, url, timeout_seconds=seconds)
        box()
        [left] = deliver(message(app))
        assert left.state == "pending"
        return left.last_error

    def test_one_that_hangs(self, app):
        with app.app_context(), receiving(hang) as receiver:
            assert "no whole answer within 0.3 s" in self.left(app, receiver.url(), 0.3)

    def test_one_that_does_not_listen(self, app):
        with app.app_context():
            assert "refused" in self.left(app, f"http://127.0.0.1:{free_port()}/")

    def test_one_in_a_network_that_is_not_allowed(self, app, receiver):
        with app.app_context():
            set_webhook(app, receiver.url(), allowed_networks=())
            box()
            [left] = deliver(message(app))
        assert (left.state, "no public address" in left.last_error) == ("pending", True)
        assert receiver.connections == 0

    def test_credentials_of_the_address_are_not_said(self, app, caplog):
        with app.app_context(), receiving(reset) as receiver:
            url = receiver.url("/?key=hidden").replace("http://", "http://anna:hidden@")
            assert "hidden" not in self.left(app, url)
        assert "hidden" not in caplog.text


class TestNothingToTell:
    """What is gone is skipped."""

    def test_a_purged_message(self, everywhere, receiver):
        message_id = message(everywhere)
        purge.purge(message_id)
        [left] = deliver(message_id)
        assert (left.state, left.last_error) == ("skipped", "the message was purged")
        assert receiver.requests == []

    def test_but_its_deletion_is_told_without_its_caller(self, hooked, receiver):
        message_id = message(hooked)
        messages.trash(message_id, actor="test")
        purge.purge(message_id)
        assert deliver(message_id, "message.deleted")[0].state == "done"
        told = verified(receiver.requests[0], hook().secret, time.time())["message"]
        assert (told["id"], told["caller"], told["caller_name"], told["audio_url"]) == (message_id, "", "", None)

    def test_a_deleted_mailbox(self, hooked, receiver):
        own_webhook("1001", receiver.url("/own"))
        message_id = message(hooked)
        mailboxes.delete("1001", confirm="1001", actor="test")
        assert [left.state for left in deliver(message_id)] == ["skipped", "skipped"]
        assert [kept.scope for kept in db.session.query(Webhook)] == ["global"]

    def test_a_webhook_that_was_taken_away(self, hooked, receiver):
        own_webhook("1001", receiver.url("/own"))
        message_id = message(hooked)
        webhook_changes.save("1001", url="", headers="", actor="test")
        set_webhook(hooked, "")
        assert [left.state for left in deliver(message_id)] == ["skipped", "skipped"]
        assert receiver.requests == []


class TestHeaders:
    """The customer's headers go along, and change nothing of ours."""

    def test_those_of_the_settings(self, app, receiver):
        own = {"Authorization": "Bearer token", "content-type": "text/evil", "X-Voicemail-Signature": "t=1,v1=0"}
        with app.app_context():
            set_webhook(
                app,
                receiver.url(),
                headers={**own, "IDEMPOTENCY-KEY": "1", "Host": "evil", "X-Ü": "1"} | {"X-Own": "ü"},
            )
            box()
            [left] = deliver(message(app))
        # A name that HTTP does not take cannot come out of a settings file; here it did.
        assert (left.state, "header" in left.last_error) == ("failed", True)
        with app.app_context():
            set_webhook(app, receiver.url(), headers={**own, "IDEMPOTENCY-KEY": "1", "Host": "evil", "X-Own": "ü"})
            [left] = deliver(message(app))
            [request] = receiver.requests
            verified(request, hook().secret, time.time())
        assert (request.headers["authorization"], request.headers["x-own"]) == ("Bearer token", "ü")
        names = [name.lower() for name in request.names]
        assert len(names) == len(set(names))
        assert request.headers["content-type"] == "application/json"
        assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
        assert request.headers["idempotency-key"] == left.idempotency_key

    def test_those_of_the_settings_go_nowhere_else(self, any_app, receiver):
        with receiving(reply(200)) as own:
            set_webhook(any_app, receiver.url(), headers={"Authorization": "Bearer of the settings"})
            box()
            own_webhook("1001", own.url(), "X-Mine: 1\nAuthorization: Bearer mine")
            assert [left.state for left in deliver(message(any_app))] == ["done", "done"]
            assert own.requests[0].headers["authorization"] == "Bearer mine"
            assert own.requests[0].headers["x-mine"] == "1"
        assert receiver.requests[0].headers["authorization"] == "Bearer of the settings"
        assert "x-mine" not in receiver.requests[0].headers


class TestSecrets:
    """Each webhook has a secret of its own, kept encrypted."""

    def test_it_is_made_once_and_not_to_be_read_in_the_database(self, everywhere, receiver):
        deliver(message(everywhere))
        secret = hook().secret
        deliver(message(everywhere))
        assert hook().secret == secret
        assert secret not in row().secret
        for request in receiver.requests:
            verified(request, secret, time.time())

    def test_that_of_the_settings_counts(self, hooked, receiver):
        set_webhook(hooked, receiver.url(), secret="chosen by the customer")
        deliver(message(hooked))
        verified(receiver.requests[0], "chosen by the customer", time.time())

    def test_a_new_one_signs_from_now_on(self, hooked, receiver):
        own_webhook("1001", receiver.url())
        old = webhook_changes.secret_of("1001", actor="test")
        new = webhook_changes.rotate("1001", actor="test")
        assert old != new
        deliver(message(hooked))
        verified(receiver.requests[1], new, time.time())

    def test_a_key_that_was_lost_is_told_and_delivery_waits_for_it(self, hooked, receiver):
        deliver(message(hooked))
        settings_of(hooked).encryption_key_file.rename(settings_of(hooked).instance / "away")
        message_id = message(hooked)
        [left] = deliver(message_id)
        assert (left.state, "encryption_key" in left.last_error) == ("pending", True)
        (settings_of(hooked).instance / "away").rename(settings_of(hooked).encryption_key_file)
        assert deliver(message_id)[0].state == "done"
