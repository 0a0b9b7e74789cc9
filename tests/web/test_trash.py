"""The trash in the portal: what it says of its days, and its end at somebody's wish; all of it without scripts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import Audit, Message
from app.services import mailboxes, messages
from app.services.mailbox_options import Options
from app.storage import open_store
from tests.web.browser import HTMX, Browser, form_of

BOX = "/console/voicemail/1001"
TRASH = f"{BOX}?view=trash"
EMPTY = f"{BOX}/empty-trash"
Make = Callable[..., str]


def purge_of(message_id: str) -> str:
    return f"/console/voicemail/messages/{message_id}/purge"


@pytest.fixture
def make_trash(app: Flask, mailbox: str, make_message: Make) -> Make:
    """make_trash() leaves a message that is in the trash."""

    def make(**facts: object) -> str:
        message_id = make_message(mailbox, **facts)
        with app.app_context():
            messages.trash(message_id, actor="test")
        return message_id

    return make


def purged(app: Flask, *ids: str) -> list[bool]:
    with app.app_context():
        return [db.session.get_one(Message, each).purged_at is not None for each in ids]


def test_a_message_goes_for_good_after_a_question(app: Flask, browser: Browser, make_trash: Make) -> None:
    one, other = make_trash(caller_name="Carla <b>"), make_trash()
    with app.app_context():
        key = db.session.get_one(Message, one).storage_key
        assert key
        assert open_store(app.extensions["settings"]).stat(key)
    page = browser.get(TRASH)
    assert f'href="{purge_of(one)}"' in page.text
    asked = browser.get(purge_of(one))
    assert "Carla &lt;b&gt;" in asked.text
    assert purged(app, one) == [False]
    answer = browser.submit(purge_of(one), purge_of(one))
    assert (answer.status_code, answer.location) == (303, TRASH)
    after = browser.get(TRASH).text
    assert "gone for good" in after
    assert f'id="message-{one}"' not in after
    assert purged(app, one, other) == [True, False]
    with app.app_context():
        assert open_store(app.extensions["settings"]).stat(key) is None
        found = db.session.execute(select(Audit.actor, Audit.object_id).where(Audit.action == "message.purge"))
        assert [tuple(row) for row in found] == [("bert", one)]


def test_what_is_not_in_the_trash_cannot(app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
    one = make_message()
    assert "Delete for good" not in browser.get(BOX).text
    assert browser.get(purge_of(one)).location == TRASH
    answer = browser.client.post(purge_of(one), data={"csrf_token": browser.csrf_token()})
    assert answer.status_code == 422
    assert "Only what is in the trash" in answer.text
    assert purged(app, one) == [False]


def test_the_trash_is_emptied_as_it_was_seen(app: Flask, browser: Browser, make_trash: Make) -> None:
    seen = [make_trash() for _ in range(3)]
    assert f'href="{EMPTY}"' in browser.get(TRASH).text
    page = browser.get(EMPTY)
    assert "Delete 3 messages for good" in page.text
    form = form_of(page, EMPTY)
    later = make_trash()
    answer = browser.client.post(EMPTY, data=form.values)
    assert (answer.status_code, answer.location) == (303, TRASH)
    assert "3 messages are gone for good" in browser.get(TRASH).text
    assert purged(app, *seen, later) == [True, True, True, False]
    assert "Delete 1 message for good" in browser.get(EMPTY).text


def test_an_empty_trash_has_nothing_to_ask(browser: Browser, mailbox: str) -> None:
    assert "Empty the trash" not in browser.get(TRASH).text
    assert browser.get(EMPTY).location == TRASH


@pytest.mark.parametrize("until", ["", "tomorrow", "\ud7ff", "9999-12-31T23:59:59-23:59"])
def test_a_page_that_was_tampered_with_is_told(app: Flask, browser: Browser, make_trash: Make, until: str) -> None:
    one = make_trash()
    answer = browser.client.post(EMPTY, data={"csrf_token": browser.csrf_token(), "until": until})
    assert answer.status_code == 422
    assert purged(app, one) == [False]


def test_each_needs_token_and_log_in(app: Flask, browser: Browser, stranger: Browser, make_trash: Make) -> None:
    one = make_trash()
    for address in (purge_of(one), EMPTY):
        assert browser.client.post(address).status_code == 400
        assert stranger.get(address).location.startswith("/login")
        token = form_of(stranger.get("/login"), "/login").values["csrf_token"]
        assert stranger.client.post(address, data={"csrf_token": token}).location.startswith("/login")
    assert purged(app, one) == [False]
    for address in (purge_of("00000000-0000-4000-8000-000000000000"), "/console/voicemail/99/empty-trash"):
        assert browser.get(address).status_code == 404
        data = {"csrf_token": browser.csrf_token(), "until": "2026-01-01T00:00:00+00:00"}
        assert browser.client.post(address, data=data).status_code == 404


def test_with_htmx_the_row_in_the_trash_has_it_too(browser: Browser, make_trash: Make) -> None:
    one = make_trash()
    assert purge_of(one) in browser.get(f"{BOX}/messages", query_string={"view": "trash"}, headers=HTMX).text


def test_each_view_says_how_long_its_messages_stay(
    app: Flask, browser: Browser, mailbox: str, make_message: Make, make_trash: Make
) -> None:
    make_trash()
    make_message()
    assert "goes for good after 30 days" in browser.get(TRASH).text
    assert "goes to the trash" not in browser.get(f"{BOX}?view=new").text
    own = Options(new_days="1", trash_days="0")
    with app.app_context():
        details = {"name": "", "email": "", "language": "en", "timezone": "UTC"}
        mailboxes.update(mailbox, **details, options=own, actor="test")
    assert "goes for good within the hour" in browser.get(TRASH).text
    assert "goes to the trash after 1 day." in browser.get(f"{BOX}?view=new").text


def test_the_form_takes_days_and_says_what_is_wrong(app: Flask, browser: Browser, mailbox: str) -> None:
    settings = app.extensions["settings"]
    app.extensions["settings"] = replace(settings, retention=replace(settings.retention, saved_days=365))
    action = "/console/voicemail/mailboxes/1001"
    edit = f"{action}/edit"
    page = browser.get(edit).text
    for placeholder in ("for ever", "365", "30"):
        assert f'placeholder="{placeholder}"' in page
    wrong = browser.submit(edit, action, {"new_days": "soon", "trash_days": "-1"})
    assert wrong.status_code == 422
    assert "The days that new messages stay: a whole number from 0 to 36,500" in wrong.text
    assert "The days that the trash keeps messages" in wrong.text
    assert browser.submit(edit, action, {"new_days": "14", "saved_days": "0", "trash_days": ""}).status_code == 303
    with app.app_context():
        box = mailboxes.get(mailbox)
        assert (box.new_days, box.saved_days, box.trash_days) == (14, 0, None)
    assert form_of(browser.get(edit), action).values["saved_days"] == "0"
