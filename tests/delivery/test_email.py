"""E-mail as a delivery, on every database: what arrives, what is tried again, and what becomes of the message."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import soundfile
from flask import Flask
from sqlalchemy import select, update

from app.database import writing
from app.delivery import email
from app.extensions import db
from app.jobs import run
from app.models import Attempt, Audit, Delivery, Event, Mailbox, Message, Webhook
from app.models.base import utc_now
from app.services import events, mailboxes, messages, outbox, phone_access
from app.services.mailbox_options import Options
from app.storage import StoreError
from tests.conftest import PIN, leave_message
from tests.delivery.mail_server import Handler, serving, use
from tests.jobs.owed import change, make_due
from tests.services.together import together
from voice.media.g711 import Law, decode

ANNA, BERT = "anna@example.com", "bert@example.com"
AUDIO = bytes(range(256)) * 62


def mailbox(app: Flask, addresses: str = ANNA, **options: Any) -> str:
    """A mailbox 1001 that is mailed to these addresses."""
    facts = {name: options.pop(name) for name in ("language", "timezone", "name") if name in options}
    box = mailboxes.create("1001", pin=PIN, email=addresses, options=Options(**options), actor="test", **facts)
    return box.id


def leave(app: Flask, **facts: Any) -> str:
    return leave_message(app, "1001", uploaded=False, **facts)


def rows(message_id: str, kind: str = "email") -> dict[str, Delivery]:
    """The deliveries of a kind by their target, as the database has them now."""
    db.session.rollback()
    found = db.session.scalars(select(Delivery).filter_by(message_id=message_id, kind=kind, event="message.created"))
    return {delivery.target: delivery for delivery in found}


def again(app: Flask, delivery_id: str) -> None:
    """The next attempt of a delivery, as if its wait were over."""
    db.session.rollback()
    make_due(app, delivery_id)
    run.deliver(delivery_id)


def deliver(message_id: str, *what: str) -> None:
    """Run deliveries in this order: `upload`, or the address of a mail."""
    for one in what:
        found = rows(message_id, "upload" if one == "upload" else "email")
        delivery = next(iter(found.values())) if one == "upload" else found[one]
        run.deliver(delivery.id)


def let_all_start() -> None:
    """Mails may start although the upload has not: its head start is over."""
    db.session.execute(update(Delivery).where(Delivery.kind == "upload").values(attempts=1))
    db.session.commit()


def message_now(message_id: str) -> Message:
    db.session.rollback()
    return db.session.get_one(Message, message_id, populate_existing=True)


def audio_of(mail: Any) -> Any:
    (attachment,) = mail.iter_attachments()
    return attachment


@pytest.fixture
def sent(mail_server: tuple[Handler, int]) -> Handler:
    """The mail server of `here`."""
    return mail_server[0]


@pytest.fixture
def here(app: Flask, mail_server: tuple[Handler, int]) -> Iterator[Flask]:
    """The application on SQLite, inside a context, with a mail server."""
    use(app, mail_server[1])
    with app.app_context():
        yield app


@pytest.fixture
def served(any_app: Flask, mail_server: tuple[Handler, int]) -> Handler:
    handler, port = mail_server
    use(any_app, port)
    return handler


def test_a_message_arrives_with_its_recording(here: Flask, sent: Handler) -> None:
    mailbox(here, name="Anna Example", timezone="Europe/Paris")
    message_id = leave(here, urgent=True)
    deliver(message_id, "upload", ANNA)
    (mail,) = sent.parsed()
    assert rows(message_id)[ANNA].state == "done"
    assert mail["To"] == ANNA
    assert mail["From"] == "Voicemail <voicemail@example.com>"
    assert mail["Subject"] == "Urgent message from Carla Caller (0301234567), 2 s"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["Importance"] == "high"
    assert abs((mail["Date"].datetime - utc_now()).total_seconds()) < 60
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    for body in (text, html):
        assert "Carla Caller (0301234567)" in body
        assert "Europe/Paris" in body
        assert f"http://127.0.0.1:8000/console/voicemail/messages/{message_id}" in body
        assert "is attached" in body


def test_the_attachment_is_what_was_said(here: Flask, sent: Handler) -> None:
    mailbox(here)
    message_id = leave(here)
    deliver(message_id, "upload", ANNA)
    attachment = audio_of(sent.parsed()[0])
    assert attachment.get_content_type() == "audio/wav"
    assert attachment.get_filename().startswith("voicemail-20")
    assert attachment.get_filename().endswith("-0301234567.wav")
    with wave.open(io.BytesIO(attachment.get_content())) as sound:
        assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (8000, 2, 1)
        assert sound.readframes(sound.getnframes()) == decode(AUDIO, Law.PCMU)


def test_mp3_where_the_mailbox_wants_it(here: Flask, sent: Handler) -> None:
    mailbox(here, mail_attachment="mp3")
    message_id = leave(here)
    deliver(message_id, "upload", ANNA)
    attachment = audio_of(sent.parsed()[0])
    assert attachment.get_content_type() == "audio/mpeg"
    samples, rate = soundfile.read(io.BytesIO(attachment.get_content()))
    assert len(samples) / rate == pytest.approx(len(AUDIO) / 8000, abs=0.3)
    assert float(np.abs(samples).max()) > 0.1


def test_none_where_the_mailbox_or_the_settings_want_none(here: Flask, sent: Handler) -> None:
    box = mailbox(here, mail_attachment="none")
    message_id = leave(here)
    deliver(message_id, "upload", ANNA)
    db.session.execute(update(Mailbox).where(Mailbox.id == box).values(mail_attachment=None))
    db.session.commit()
    use(here, here.extensions["settings"].smtp.port, attachment="none")
    another = leave(here)
    deliver(another, "upload", ANNA)
    for mail in sent.parsed():
        assert list(mail.iter_attachments()) == []
        assert "attached" not in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize("uploaded", [True, False])
def test_too_large_a_recording_is_only_linked_to(any_app: Flask, served: Handler, uploaded: bool) -> None:
    use(any_app, any_app.extensions["settings"].smtp.port, attachment_bytes=10_000)
    mailbox(any_app, after_mailing="trash")
    message_id = leave(any_app)
    let_all_start()
    deliver(message_id, *(["upload", ANNA] if uploaded else [ANNA, "upload"]))
    (mail,) = served.parsed()
    assert list(mail.iter_attachments()) == []
    assert "too large to attach" in mail.get_body(("plain",)).get_content()
    assert rows(message_id)[ANNA].last_error == email.TOO_LARGE
    assert message_now(message_id).deleted_at is None


def test_a_server_that_takes_no_large_mail_gets_the_link(here: Flask, sent: Handler) -> None:
    mailbox(here, after_mailing="read")
    message_id = leave(here)
    sent.refuse("DATA", "552 5.3.4 message too big")
    deliver(message_id, "upload", ANNA)
    (mail,) = sent.parsed()
    assert list(mail.iter_attachments()) == []
    assert (rows(message_id)[ANNA].state, rows(message_id)[ANNA].last_error) == ("done", email.REFUSED_SIZE)
    assert message_now(message_id).state == "new"


def test_a_server_that_announces_what_it_takes_gets_the_link(here: Flask) -> None:
    mailbox(here)
    with serving(data_size_limit=20_000) as (handler, port):
        use(here, port)
        message_id = leave(here)
        deliver(message_id, "upload", ANNA)
    (mail,) = handler.parsed()
    assert list(mail.iter_attachments()) == []
    assert (rows(message_id)[ANNA].state, rows(message_id)[ANNA].last_error) == ("done", email.REFUSED_SIZE)


def test_a_recording_that_cannot_be_converted_is_linked_to(here: Flask, sent: Handler) -> None:
    mailbox(here)
    message_id = leave(here)
    path = here.extensions["settings"].spool_dir / f"{message_id}.wav"
    path.write_bytes(b"no sound")
    let_all_start()
    deliver(message_id, ANNA)
    assert rows(message_id)[ANNA].last_error == email.NO_AUDIO
    assert len(sent.mails) == 1


def test_a_temporary_refusal_is_tried_again_under_one_message_id(any_app: Flask, served: Handler) -> None:
    mailbox(any_app)
    message_id = leave(any_app)
    served.refuse("RCPT", "450 4.2.0 greylisted")
    deliver(message_id, "upload", ANNA)
    tried = rows(message_id)[ANNA]
    assert (tried.state, "450 4.2.0 greylisted" in tried.last_error) == ("pending", True)
    assert served.mails == []
    delivery_id = tried.id
    again(any_app, delivery_id)
    assert rows(message_id)[ANNA].state == "done"
    # As if the worker had been killed after the server took it, before the commit.
    change(any_app, delivery_id, state="pending")
    again(any_app, delivery_id)
    first, second = served.parsed()
    assert first["Message-ID"] == second["Message-ID"]
    states = db.session.scalars(select(Attempt.state).where(Attempt.delivery_id == delivery_id)).all()
    assert states == ["pending", "done", "done"]


def test_a_bounce_of_one_address_does_not_stop_the_other(any_app: Flask, served: Handler) -> None:
    mailbox(any_app, f"{BERT}, {ANNA}", after_mailing="read")
    message_id = leave(any_app)
    served.refuse(f"RCPT {BERT}", "550 5.1.1 no such user")
    deliver(message_id, "upload", BERT, ANNA)
    found = rows(message_id)
    assert (found[BERT].state, found[ANNA].state) == ("failed", "done")
    assert "550 5.1.1 no such user" in found[BERT].last_error
    assert [mail["To"] for mail in served.parsed()] == [ANNA]
    assert message_now(message_id).state == "new"
    # The address is mended at its own server, and somebody tries again: now all have it.
    outbox.try_again(Delivery.id == found[BERT].id)
    deliver(message_id, BERT)
    first, second = served.parsed()
    assert first["Message-ID"] != second["Message-ID"]
    assert message_now(message_id).state == "saved"


def test_audio_that_is_elsewhere_waits(here: Flask, sent: Handler) -> None:
    mailbox(here)
    message_id = leave(here, host="another-host")
    let_all_start()
    deliver(message_id, ANNA)
    tried = rows(message_id)[ANNA]
    assert (tried.state, "on its way" in tried.last_error) == ("pending", True)
    assert sent.mails == []


@pytest.mark.parametrize("down", ["host", "store", "reading"])
def test_whose_audio_is_out_of_reach_to_the_last_is_told_with_the_link(
    any_app: Flask, served: Handler, monkeypatch: pytest.MonkeyPatch, down: str
) -> None:
    def reset(*_: Any) -> Any:
        raise StoreError("reset by peer")

    mailbox(any_app, after_mailing="trash")
    message_id = leave(any_app, host="another-host") if down == "host" else leave(any_app)
    let_all_start()
    if down != "host":
        deliver(message_id, "upload")
    if down == "store":
        settings = any_app.extensions["settings"]
        settings.storage.folder.rename(settings.instance / "away")
    if down == "reading":
        monkeypatch.setattr(email, "_attachment", reset)
    delivery_id, attempts = rows(message_id)[ANNA].id, 0
    while rows(message_id)[ANNA].state == "pending" and attempts < 100:
        assert served.mails == []
        again(any_app, delivery_id)
        attempts += 1
    told = rows(message_id)[ANNA]
    assert (told.state, told.last_error, attempts > 5) == ("done", email.OUT_OF_REACH, True)
    (mail,) = served.parsed()
    assert list(mail.iter_attachments()) == []
    assert message_now(message_id).deleted_at is None


def test_audio_that_the_upload_moves_in_that_moment(
    any_app: Flask, served: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox(any_app)
    message_id = leave(any_app)
    let_all_start()
    real, moved = email._attachment, []

    def attachment(*arguments: Any) -> Any:
        if not moved:
            moved.append(True)
            deliver(message_id, "upload")
        return real(*arguments)

    monkeypatch.setattr(email, "_attachment", attachment)
    deliver(message_id, ANNA)
    assert len(served.mails) == 1
    assert len(audio_of(served.parsed()[0]).get_content()) == 2 * len(AUDIO) + 44


def test_nobody_is_told_of_what_is_gone(any_app: Flask, served: Handler) -> None:
    mailbox(any_app, f"{ANNA}, {BERT}")
    purged, moved, orphan = leave(any_app), leave(any_app), leave(any_app)
    for message_id in (purged, moved, orphan):
        deliver(message_id, "upload")
    db.session.execute(update(Message).where(Message.id == purged).values(purged_at=utc_now()))
    db.session.commit()
    deliver(purged, ANNA)
    assert rows(purged)[ANNA].last_error == "the message was purged"
    mailboxes.update("1001", name="", email=BERT, language="en", timezone="UTC", actor="test")
    deliver(moved, ANNA, BERT)
    assert {to: one.state for to, one in rows(moved).items()} == {ANNA: "skipped", BERT: "done"}
    mailboxes.delete("1001", confirm="1001", actor="test")
    deliver(orphan, BERT)
    assert rows(orphan)[BERT].last_error == "the mailbox is deleted"
    assert [mail["To"] for mail in served.parsed()] == [BERT]


@pytest.mark.parametrize("order", [("upload", ANNA, BERT), (BERT, ANNA, "upload"), (ANNA, "upload", BERT)])
@pytest.mark.parametrize(("action", "event"), [("read", "message.read"), ("trash", "message.deleted")])
def test_whichever_comes_last_settles_the_message(
    any_app: Flask, served: Handler, order: Sequence[str], action: str, event: str
) -> None:
    box = mailbox(any_app, f"{ANNA}, {BERT}", after_mailing=action)
    db.session.add(Webhook(scope=box, url="https://example.com/hook"))
    db.session.commit()
    message_id = leave(any_app)
    let_all_start()
    version = db.session.get_one(Mailbox, box).mwi_version
    for one in order[:-1]:
        deliver(message_id, one)
        assert settled(message_id) == []
    deliver(message_id, order[-1])
    assert settled(message_id) == [event]
    message = message_now(message_id)
    assert (message.state, message.deleted_at is not None) == (("saved", False) if action == "read" else ("new", True))
    assert db.session.get_one(Mailbox, box).mwi_version == version + 1
    audits = db.session.scalars(select(Audit.action).where(Audit.object_id == message_id)).all()
    assert audits == ["message.saved" if action == "read" else "message.delete"]
    hooks = db.session.scalars(select(Delivery.event).where(Delivery.kind == "webhook", Delivery.target == box)).all()
    assert sorted(hooks) == ["message.created", event]
    # Once: what its owner does afterwards stays, though a mail goes out again.
    if action == "trash":
        messages.restore(message_id, actor="test")
    else:
        messages.mark(message_id, "new", actor="test")
    for delivery in rows(message_id).values():
        run.deliver(delivery.id)
    assert message_now(message_id).deleted_at is None


def settled(message_id: str) -> list[str]:
    """Events of a message after its coming."""
    db.session.rollback()
    query = select(Event.event).where(Event.message_id == message_id, Event.event != "message.created")
    return list(db.session.scalars(query.order_by(Event.number)))


@pytest.mark.parametrize("times", range(3))
def test_outcomes_that_come_at_once_settle_it_once(any_app: Flask, served: Handler, times: int) -> None:
    mailbox(any_app, f"{ANNA}, {BERT}", after_mailing="trash")
    message_id = leave(any_app)
    let_all_start()
    ids = [delivery.id for kind in ("upload", "email") for delivery in rows(message_id, kind).values()]
    db.session.rollback()
    assert together(any_app, *[partial(run.deliver, one) for one in ids]) == [None] * 3
    assert settled(message_id) == ["message.deleted"]


def test_what_its_owner_did_before_stays(here: Flask, sent: Handler) -> None:
    mailbox(here, after_mailing="read")
    message_id = leave(here)
    messages.trash(message_id, actor="phone")
    deliver(message_id, "upload", ANNA)
    assert settled(message_id) == ["message.deleted"]
    assert message_now(message_id).state == "new"
    assert len(sent.mails) == 1


def test_other_news_of_a_mailbox(here: Flask, sent: Handler) -> None:
    box = mailbox(here, name="Zoë", max_messages="2")
    for _ in range(2):
        leave(here)
    mailboxes.reset_pin("1001", "482913", actor="anna")
    for _ in range(phone_access.FAILURES):
        assert phone_access.log_in("1001", "0000", "sip:7@pbx") is None
    with writing():
        events.record(events.GREETING_CHANGED, box, kind="busy", removed=True)
        events.record(events.MAILBOX_NEARLY_FULL, box, messages=9, seconds=61, limits={"messages": 10, "seconds": 70})
    query = select(Delivery.id).where(Delivery.kind == "email", Delivery.event != "message.created")
    for delivery_id in db.session.scalars(query).all():
        run.deliver(delivery_id)
    told = {mail["Subject"]: mail for mail in sent.parsed()}
    assert {
        "Mailbox 1001 is full",
        "Mailbox 1001 is nearly full",
        "The PIN of mailbox 1001 was changed",
        "Telephone access to mailbox 1001 is locked",
        "The greeting of mailbox 1001 was changed",
    } == set(told)
    for mail in told.values():
        assert list(mail.iter_attachments()) == []
        assert "Zoë" in mail.get_body(("html",)).get_content()
    text = told["The greeting of mailbox 1001 was changed"].get_body(("plain",)).get_content()
    assert "the greeting for a busy line was removed" in text
    text = told["Mailbox 1001 is nearly full"].get_body(("plain",)).get_content()
    assert "Messages: 9 of 10.\nLength of all messages: 1 min 1 s of 1 min 10 s." in text


@pytest.mark.parametrize(
    "hostile",
    [
        "Eve\r\nBcc: all@example.com",
        "Eve\nSubject: other",
        "=?utf-8?q?Eve?=",
        "=?utf-8?q?Eve=0D=0ABcc:_all@example.com=0D=0A=0D=0ACall_us?=",
        "=?utf-8?b?DQpSZXBseS1UbzogYUBi?= =?utf-8?q?=0AEve?=",
        '"><script>alert(1)</script>',
        "Eve\u2028Bcc: x@example.com",
        "{{ 7 * 7 }}{% raw %}",
        "𝕰ve 🎉 " * 15,
        "\u202eeve",
        ',;:<>@()[]\\"',
    ],
)
def test_what_callers_call_themselves_harms_nobody(app: Flask, mail_server: tuple[Handler, int], hostile: str) -> None:
    handler, port = mail_server
    use(app, port)
    with app.app_context():
        mailbox(app)
        message_id = leave(app)
        # As it would be had something else than the phone written it.
        caller = {"caller_name": hostile, "caller_number": hostile}
        db.session.execute(update(Message).where(Message.id == message_id).values(**caller))
        db.session.commit()
        deliver(message_id, "upload", ANNA)
    (mail,), (envelope,) = handler.parsed(), handler.mails
    assert envelope.rcpt_tos == [ANNA]
    assert [name for name in mail if name.lower() in ("bcc", "to", "subject", "from")] == ["From", "To", "Subject"]
    assert (mail["To"], mail["Bcc"]) == (ANNA, None)
    assert mail["Subject"].startswith("New message from ")
    assert "\n" not in mail["Subject"]
    assert "49" not in mail["Subject"].partition(",")[0]
    assert "<script" not in mail.get_body(("html",)).get_content()
    assert audio_of(mail).get_filename().isascii()
    for line in (envelope.original_content or b"").split(b"\r\n"):
        assert b"\n" not in line
        assert len(line) <= 998
