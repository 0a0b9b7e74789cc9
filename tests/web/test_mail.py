"""The mails of a mailbox in the portal: fields of the form, preview, test mail, and where a mail's link leads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.mail import facts, templates
from app.models import Audit
from app.services import mailboxes, messages
from tests.conftest import PIN
from tests.delivery.mail_server import Handler, serving, silent, use
from tests.web.browser import HTMX, Browser, form_of

LIST = "/console/voicemail"
BOX = f"{LIST}/mailboxes/1001"
MAIL, TEST, HTML = f"{BOX}/mail", f"{BOX}/mail/test", f"{BOX}/mail/html"


@pytest.fixture
def mail_server() -> Iterator[tuple[Handler, int]]:
    """A server that takes every mail; its handler and its port."""
    with serving() as served:
        yield served


@pytest.fixture
def mailed(app: Flask) -> str:
    """The extension of a mailbox with two addresses."""
    with app.app_context():
        return mailboxes.create("1001", pin=PIN, email="anna@example.com, bert@example.com", actor="test").extension


class TestForm:
    """The fields of the mailbox form."""

    def test_several_addresses(self, app: Flask, browser: Browser, mailbox: str) -> None:
        answer = browser.submit(f"{BOX}/edit", BOX, {"email": " anna@example.com;bert@example.com,anna@example.com "})
        assert answer.status_code == 303
        assert "anna@example.com, bert@example.com" in browser.get(f"{LIST}/1001").text
        assert browser.submit(f"{BOX}/edit", BOX).status_code == 303
        with app.app_context():
            assert mailboxes.get("1001").email == "anna@example.com, bert@example.com"
            assert [row.mailbox.extension for row in mailboxes.page("BERT@").items] == ["1001"]

    def test_the_wrong_one_is_named(self, browser: Browser, mailbox: str) -> None:
        answer = browser.submit(f"{BOX}/edit", BOX, {"email": "anna@example.com, <b>bert</b>, eve@example.com"})
        assert answer.status_code == 422
        assert "“&lt;b&gt;bert&lt;/b&gt;” is not an e-mail address" in answer.text

    def test_attachment_and_what_follows_are_kept(self, app: Flask, browser: Browser, mailed: str) -> None:
        use(app, 25)
        chosen = {"mail_attachment": "mp3", "after_mailing": "trash"}
        assert browser.submit(f"{BOX}/edit", BOX, chosen).status_code == 303
        shown = form_of(browser.get(f"{BOX}/edit"), BOX).values
        assert {name: shown[name] for name in chosen} == chosen
        assert browser.submit(f"{BOX}/edit", BOX, {"after_mailing": "keep"}).status_code == 303

    @pytest.mark.parametrize(
        ("host", "fields", "words"),
        [
            ("", {}, "No mail server is set"),
            ("127.0.0.1", {"email": ""}, "Without an e-mail address"),
            ("127.0.0.1", {"mail_attachment": "none"}, "the recording is not attached"),
            ("127.0.0.1", {"after_mailing": "burn"}, "one of keep, read, trash"),
            ("127.0.0.1", {"mail_attachment": "ogg"}, "one of none, wav, mp3"),
        ],
    )
    @pytest.mark.parametrize("action", ["read", "trash"])
    def test_messages_change_only_where_they_are_mailed(
        self, app: Flask, browser: Browser, mailed: str, host: str, fields: dict[str, str], words: str, action: str
    ) -> None:
        use(app, 25, host=host)
        answer = browser.submit(f"{BOX}/edit", BOX, {"after_mailing": action, **fields})
        assert answer.status_code == 422
        assert words in answer.text
        with app.app_context():
            assert mailboxes.get("1001").after_mailing == "keep"

    def test_the_setting_counts_where_the_mailbox_says_nothing(self, app: Flask, browser: Browser, mailed: str) -> None:
        use(app, 25, attachment="none")
        assert browser.submit(f"{BOX}/edit", BOX, {"after_mailing": "read"}).status_code == 422
        chosen = {"after_mailing": "read", "mail_attachment": "wav"}
        assert browser.submit(f"{BOX}/edit", BOX, chosen).status_code == 303
        # Programs that know of no options cannot take the address away from under it.
        token = browser.csrf_token()
        bare = {"csrf_token": token, "extension": "1001", "language": "en", "timezone": "UTC", "email": ""}
        answer = browser.client.post(BOX, data=bare)
        assert answer.status_code == 422


class TestPreview:
    """GET …/mail."""

    def test_text_and_html_side_by_side(self, app: Flask, browser: Browser, mailed: str) -> None:
        use(app, 25)
        page = browser.get(MAIL)
        assert page.status_code == 200
        assert "New message from Carla Example (+12025550143), 42 s" in page.text
        assert "anna@example.com, bert@example.com" in page.text
        assert "<iframe" in page.text
        assert "Listen in the portal: http" in page.text
        assert f'href="{MAIL}"' in browser.get(f"{LIST}/1001").text

    @pytest.mark.parametrize("kind", [*facts.KINDS, "x"])
    def test_each_kind(self, browser: Browser, mailed: str, kind: str) -> None:
        page, html = browser.get(f"{MAIL}?kind={kind}"), browser.get(f"{HTML}?kind={kind}")
        assert (page.status_code, html.status_code) == (200, 200)
        assert html.text.startswith("<!doctype html>")

    def test_the_html_can_do_nothing(self, browser: Browser, mailed: str) -> None:
        answer = browser.get(HTML)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "sandbox" in policy.split("; ")
        assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
        assert "frame-ancestors 'none'" in browser.get(MAIL).headers["Content-Security-Policy"]

    def test_it_says_what_is_missing(self, app: Flask, browser: Browser, mailbox: str) -> None:
        assert "No mail server is set" in browser.get(MAIL).text
        use(app, 25)
        page = browser.get(MAIL).text
        assert "has no e-mail address" in page
        assert TEST not in page

    def test_a_sender_that_cannot_be_is_told_by_the_test(self, app: Flask, browser: Browser, mailed: str) -> None:
        with serving() as (_, port):
            use(app, port, sender="voicemail@\u2019.example")
            assert browser.get(MAIL).status_code == 200
            assert "has a domain that cannot be" in browser.submit(MAIL, TEST).text

    def test_a_broken_template_is_told(self, app: Flask, browser: Browser, mailed: str) -> None:
        own = templates.folder_of(app.extensions["settings"]) / "en"
        own.mkdir(parents=True)
        (own / "message.txt").write_text("{{ nothing }}")
        page = browser.get(MAIL).text
        assert "en/message.txt: UndefinedError" in page
        assert "Carla Example" in page

    @pytest.mark.parametrize("url", [MAIL, HTML])
    def test_strangers_see_nothing(self, stranger: Browser, mailed: str, url: str) -> None:
        assert stranger.get(url).location.startswith("/login")


class TestTestMail:
    """POST …/mail/test."""

    def test_the_servers_words_are_shown(
        self, app: Flask, browser: Browser, mailed: str, mail_server: tuple[Handler, int]
    ) -> None:
        handler, port = mail_server
        use(app, port)
        handler.refuse("RCPT bert@example.com", "550 5.1.1 <b>no</b> such user")
        answer = browser.submit(MAIL, TEST, headers=HTMX)
        assert "the server took it: 250 2.0.0 queued as TEST1" in answer.text
        assert "550 5.1.1 &lt;b&gt;no&lt;/b&gt; such user" in answer.text
        (mail,) = handler.parsed()
        assert mail["To"] == "anna@example.com"
        assert [part.get_content_type() for part in mail.iter_attachments()] == ["audio/wav"]
        with app.app_context():
            lines = db.session.scalars(select(Audit.action).where(Audit.actor == "bert")).all()
        assert "mailbox.test_mail" in lines

    def test_who_pressed_the_button_can_go_on_from_the_answer(
        self, app: Flask, browser: Browser, mailed: str, mail_server: tuple[Handler, int]
    ) -> None:
        """The button is replaced by the answer, in what then takes the focus."""
        use(app, mail_server[1])
        page = browser.get(MAIL)
        assert form_of(page, TEST).attributes["hx-target"] == "#test-mail"
        assert 'id="test-mail" tabindex="-1"' in page.text
        assert 'id="test-mail" tabindex="-1"' in browser.submit(MAIL, TEST).text

    def test_without_scripts_it_is_a_page(
        self, app: Flask, browser: Browser, mailed: str, mail_server: tuple[Handler, int]
    ) -> None:
        use(app, mail_server[1], attachment="mp3")
        answer = browser.submit(MAIL, TEST)
        assert "<title>Test mail" in answer.text
        assert answer.text.count("the server took it") == 2

    def test_a_server_that_hangs_costs_one_time_out(self, app: Flask, browser: Browser, mailed: str) -> None:
        with silent() as port:
            use(app, port, timeout=0.3)
            answer = browser.submit(MAIL, TEST)
        assert answer.status_code == 200
        assert answer.text.count("does not answer within 0.3 s") == 2

    def test_no_server(self, app: Flask, browser: Browser, mailed: str) -> None:
        answer = browser.client.post(TEST, data={"csrf_token": browser.csrf_token()})
        assert "No mail server is set" in answer.text

    def test_a_refused_log_in(self, app: Flask, browser: Browser, mailed: str) -> None:
        with serving(auth_required=True, auth_require_tls=False) as (handler, port):
            use(app, port)
            answer = browser.submit(MAIL, TEST)
        assert "530" in answer.text
        assert handler.mails == []


class TestLink:
    """GET …/messages/{id}: mails link here."""

    def test_to_the_mailbox(self, browser: Browser, mailbox: str, make_message: Callable[..., str]) -> None:
        message_id = make_message(mailbox, uploaded=False)
        assert browser.get(f"{LIST}/messages/{message_id}").location == f"{LIST}/1001#message-{message_id}"

    def test_to_the_trash(self, app: Flask, browser: Browser, mailbox: str, make_message: Callable[..., str]) -> None:
        message_id = make_message(mailbox, uploaded=False)
        with app.app_context():
            messages.trash(message_id, actor="test")
        assert browser.get(f"{LIST}/messages/{message_id}").location == f"{LIST}/1001?view=trash#message-{message_id}"

    def test_to_the_page_that_has_it(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Callable[..., str]
    ) -> None:
        now = datetime.now(UTC)
        ids = [
            make_message(mailbox, uploaded=False, seconds=0.1, received_at=now - timedelta(minutes=number))
            for number in range(52)
        ]
        assert "cursor" not in browser.get(f"{LIST}/messages/{ids[49]}").location
        for message_id in ids[50:]:
            where = browser.get(f"{LIST}/messages/{message_id}").location
            assert "cursor=" in where
            assert f'id="message-{message_id}"' in browser.get(where.partition("#")[0]).text

    def test_strangers_log_in_first(self, stranger: Browser, mailbox: str, make_message: Callable[..., str]) -> None:
        url = f"{LIST}/messages/{make_message(mailbox, uploaded=False)}"
        assert stranger.get(url).location == f"/login?next={url}"

    def test_an_unknown_one(self, browser: Browser) -> None:
        assert browser.get(f"{LIST}/messages/00000000-0000-0000-0000-000000000000").status_code == 404
