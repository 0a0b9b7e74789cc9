"""The portal on every kind of database: what a person does in a few minutes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.extensions import db
from app.models import Delivery
from app.services import mailboxes, messages, users
from tests.conftest import Login, empty_tables, leave_message
from tests.servers import KINDS
from tests.support import make_settings
from tests.web.browser import HTMX, Browser

ANNA = Login("anna", "the password of anna")
LIST = "/console/voicemail"
BOX = f"{LIST}/1001"


@pytest.fixture(params=KINDS)
def app(request: pytest.FixtureRequest, tmp_path: Path, databases: Callable[[str], str]) -> Iterator[Flask]:
    app = create_app(make_settings(tmp_path, DATABASE_URL=databases(request.param)))
    with app.app_context():
        empty_tables()
        users.create(*ANNA, "admin", actor="test")
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_a_few_minutes(app: Flask) -> None:
    browser = Browser(app.test_client())
    assert browser.log_in(ANNA).status_code == 303
    data = {"extension": "1001", "pin": "483920", "name": "Sales 😀"}
    assert browser.submit(f"{LIST}/mailboxes/new", f"{LIST}/mailboxes", data).status_code == 303
    with app.app_context():
        one = leave_message(app, "1001")
    page = browser.get(BOX)
    assert f"message-{one}" in page.text
    assert "1 new, 0 saved" in page.text
    assert re.search(r'class="badge new">1<', browser.get(f"{LIST}?search=SALES").text)
    audio = browser.get(f"/api/voicemail/messages/{one}/audio", headers={"Range": "bytes=0-3"})
    assert (audio.status_code, audio.data) == (206, b"RIFF")
    for act in ("read", "unread", "delete"):
        assert browser.submit(BOX, f"{LIST}/messages/{one}/{act}", headers=HTMX).status_code == 200
    browser.submit(f"{BOX}?view=trash", f"{LIST}/messages/{one}/restore")
    with app.app_context():
        assert messages.counts("1001")["new"] == 1
    metrics = browser.get("/metrics").text
    assert 'voicemail_messages{state="new"} 1.0' in metrics
    assert "voicemail_oldest_delivery_seconds 0.0" in metrics


def test_how_long_something_is_owed_is_no_matter_of_this_hosts_clock(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    class InThreeDays(datetime):
        """What a host believes whose clock is three days ahead."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(days=3)

    with app.app_context():
        mailboxes.create("1001", pin="483920", actor="test")
        leave_message(app, "1001", uploaded=False)
    monkeypatch.setattr("app.models.base.datetime", InThreeDays)
    metrics = app.test_client().get("/metrics", environ_base={"REMOTE_ADDR": "127.0.0.1"}).text
    [age] = re.findall(r"^voicemail_oldest_delivery_seconds (\S+)$", metrics, re.MULTILINE)
    assert 0 <= float(age) < 3600


def test_what_failed_is_listed_and_tried_again(app: Flask) -> None:
    browser = Browser(app.test_client())
    browser.log_in(ANNA)
    with app.app_context():
        mailboxes.create("1001", pin="483920", actor="test")
        one = leave_message(app, "1001")
        db.session.execute(db.update(Delivery).values(state="failed", attempts=3, last_error="no 😀"))
        db.session.commit()
    failed, history = f"{LIST}/deliveries", f"{LIST}/messages/{one}/deliveries"
    assert browser.get(failed).text.count("no 😀") == browser.get(history).text.count("Failed") == 3
    assert browser.submit(f"{failed}?kind=email&state=failed", f"{failed}/retry-all").status_code == 303
    assert browser.get(failed).text.count("no 😀") == 2
    assert browser.submit(history, f"{history}/retry", headers=HTMX).status_code == 200
    assert "Nothing has failed" in browser.get(failed).text


@pytest.mark.parametrize("text", ["\0", "a\0b", "😀", "%", "_", "\\", "'", '"', "\u202e", "ｱ", "x" * 5000, "\ud7ff"])
def test_no_text_breaks_it(app: Flask, text: str) -> None:
    browser = Browser(app.test_client())
    browser.log_in(ANNA)
    assert browser.get(LIST, query_string={"search": text}).status_code in (200, 400)
    stranger = Browser(app.test_client())
    assert stranger.log_in(Login(text, text)).status_code in (400, 422)
    answer = browser.submit(f"{LIST}/mailboxes/new", f"{LIST}/mailboxes", {"extension": text, "name": text})
    assert answer.status_code in (400, 422)


# base64url of texts that are no cursor: without a time, without a zone, with a NUL
@pytest.mark.parametrize("cursor", ["", "eA", "MjAyNi0wMS0wMVQwMDowMDowMHx4", "MjAyNi0wMS0wMVQwMDowMDowMCswMDowMHwA"])
def test_no_cursor_breaks_it(app: Flask, cursor: str) -> None:
    browser = Browser(app.test_client())
    browser.log_in(ANNA)
    browser.submit(f"{LIST}/mailboxes/new", f"{LIST}/mailboxes", {"extension": "1001", "pin": "483920"})
    assert browser.get(BOX, query_string={"cursor": cursor}).status_code in (200, 422)
