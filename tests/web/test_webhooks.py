"""The page of a mailbox's webhook, and that of the settings for administrators."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import Audit, Webhook
from app.services import mailboxes
from app.services.webhook_changes import KEPT
from tests.delivery.hooked import deliver, hook, message, own_webhook, row, set_webhook, verified
from tests.net.receivers import Receiver, receiving, reply
from tests.web.browser import HTMX, Browser, form_of

PAGE = "/console/voicemail/mailboxes/1001/webhook"
SETTINGS = "/console/voicemail/settings"
GENERAL = f"{SETTINGS}/webhook"
ACTS = ("test", "on", "secret", "rotate")
URL, HEADERS = "https://example.com/hook", "Authorization: Bearer hidden-token\nX-Own: 1"

pytestmark = pytest.mark.usefixtures("mailbox")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(reply(200)) as receiver:
        yield receiver


@pytest.fixture
def reachable(app: Flask, receiver: Receiver) -> Receiver:
    """Receivers of this host may be called."""
    set_webhook(app)
    return receiver


def save(browser: Browser, url: str = URL, headers: str = HEADERS) -> TestResponse:
    return browser.submit(PAGE, PAGE, {"url": url, "headers": headers})


def act(browser: Browser, url: str, **options: object) -> TestResponse:
    return browser.client.post(url, data={"csrf_token": browser.csrf_token()}, **options)


def errors(answer: TestResponse) -> list[str]:
    return re.findall(r'class="error"[^>]*>([^<]+)<', answer.text)


def mailbox_row(app: Flask) -> Webhook:
    with app.app_context():
        return row(mailboxes.get("1001").id)


class TestSaving:
    """Address and headers."""

    def test_a_mailbox_without_one_says_what_to_do(self, browser: Browser) -> None:
        page = browser.get(PAGE)
        assert "Where to post" in page.text
        assert "Send test" not in page.text
        assert f'href="{PAGE}"' in browser.get("/console/voicemail/1001").text

    def test_it_is_kept_encrypted_and_values_are_not_shown_again(self, app: Flask, browser: Browser) -> None:
        assert save(browser).location == PAGE
        page = browser.get(PAGE)
        assert "is saved" in page.text
        assert "hidden-token" not in page.text
        shown = form_of(page, PAGE).values
        assert (shown["url"], shown["headers"]) == (URL, f"Authorization: {KEPT}\nX-Own: {KEPT}")
        kept = mailbox_row(app)
        assert "hidden-token" not in kept.headers + kept.secret
        with app.app_context():
            assert dict(hook(kept.scope).headers) == {"Authorization": "Bearer hidden-token", "X-Own": "1"}

    def test_a_hidden_value_stays_and_others_change(self, app: Flask, browser: Browser) -> None:
        save(browser)
        secret = mailbox_row(app).secret
        save(browser, headers=f"Authorization: {KEPT}\nX-New: 2")
        with app.app_context():
            assert dict(hook(mailbox_row(app).scope).headers) == {"Authorization": "Bearer hidden-token", "X-New": "2"}
        assert mailbox_row(app).secret == secret

    @pytest.mark.parametrize(
        "url",
        ["https://other.example/hook", "http://example.com/hook", "https://example.com:8443/hook"],
    )
    def test_a_hidden_value_goes_to_no_other_server(self, app: Flask, browser: Browser, url: str) -> None:
        save(browser)
        answer = save(browser, url=url, headers=f"Authorization: {KEPT}\nX-New: 2")
        assert answer.status_code == 422
        assert "Type the value of Authorization: values are kept only for the same server." in errors(answer)
        with app.app_context():
            assert dict(hook(mailbox_row(app).scope).headers) == {"Authorization": "Bearer hidden-token", "X-Own": "1"}
        assert mailbox_row(app).url == URL

    def test_another_path_of_the_same_server_keeps_it(self, app: Flask, browser: Browser) -> None:
        save(browser)
        assert save(browser, url="https://EXAMPLE.com:443/other", headers=f"Authorization: {KEPT}").location == PAGE
        with app.app_context():
            assert dict(hook(mailbox_row(app).scope).headers) == {"Authorization": "Bearer hidden-token"}

    def test_an_empty_address_takes_it_away(self, app: Flask, browser: Browser) -> None:
        save(browser)
        assert "taken away" in browser.get(save(browser, url="").location).text
        with app.app_context():
            assert db.session.query(Webhook).count() == 0

    @pytest.mark.parametrize(
        ("url", "sentence"),
        [
            ("x", "not an http or https address"),
            ("ftp://example.com/", "not an http or https address"),
            ("https://anna:pw@example.com/", "Leave name and password out"),
            ("http://127.0.0.1/", "private address"),
            ("http://[::1]:8000/", "private address"),
            ("http://169.254.169.254/", "private address"),
            ("https://example.com/" + "x" * 1000, "at most 1000"),
            ("https://example.com/" + "x" * 3000, "at most 2000"),
        ],
    )
    def test_a_wrong_address_is_told_beside_the_field(self, browser: Browser, url: str, sentence: str) -> None:
        answer = save(browser, url=url)
        assert answer.status_code == 422
        assert [sentence in error for error in errors(answer)] == [True]
        assert form_of(answer, PAGE).values["headers"] == HEADERS

    @pytest.mark.parametrize(
        ("headers", "sentence"),
        [
            ("no colon", "A header is a line"),
            ("Bad Name: 1", "A header is a line"),
            (": 1", "A header is a line"),
            ("X-Tab: a\tb", "A header is a line"),
            ("Content-Type: text/plain", "is ours"),
            ("x-voicemail-signature: t=1", "is ours"),
            ("Host: evil", "is ours"),
            ("X-A: 1\nx-a: 2", "twice"),
            (f"X-New: {KEPT}", "Type the value"),
            ("\n".join(f"X-{n}: 1" for n in range(21)), "20 headers"),
        ],
    )
    def test_wrong_headers_are_told(self, app: Flask, browser: Browser, headers: str, sentence: str) -> None:
        answer = save(browser, headers=headers)
        assert answer.status_code == 422
        assert [sentence in error for error in errors(answer)] == [True]
        with app.app_context():
            assert db.session.query(Webhook).count() == 0

    def test_htmx_gets_the_form(self, browser: Browser) -> None:
        token = browser.csrf_token()
        part = browser.client.post(PAGE, data={"csrf_token": token, "url": "x"}, headers=HTMX)
        assert (part.status_code, "<html" in part.text, errors(part) != []) == (422, False, True)

    def test_acts_are_in_the_record_without_secrets(self, app: Flask, browser: Browser) -> None:
        save(browser)
        save(browser, url="")
        with app.app_context():
            found = [(row.actor, row.action, row.detail) for row in db.session.query(Audit).order_by(Audit.id)]
        assert [row for row in found if row[1].startswith("webhook.")] == [
            ("bert", "webhook.update", "example.com:443"),
            ("bert", "webhook.remove", ""),
        ]


class TestTrying:
    """Send test."""

    def test_it_posts_and_shows_what_came_back(self, app: Flask, browser: Browser, reachable: Receiver) -> None:
        save(browser, url=reachable.url())
        answer = act(browser, f"{PAGE}/test")
        assert f"127.0.0.1:{reachable.port} answered 200 OK." in answer.text
        assert re.search(r"It took <span class=\"number\">\d+\.\d\d</span> s", answer.text)
        with app.app_context():
            event = verified(reachable.requests[0], hook(mailbox_row(app).scope).secret, time.time())
        assert (event["event"], event["message"], event["mailbox"]["extension"]) == ("test", None, "1001")
        assert reachable.requests[0].headers["authorization"] == "Bearer hidden-token"

    def test_htmx_gets_the_result(self, browser: Browser, reachable: Receiver) -> None:
        reachable.play(reply(500))
        save(browser, url=reachable.url())
        answer = act(browser, f"{PAGE}/test", headers=HTMX)
        assert answer.text.startswith('<div class="notice problem"')
        assert "500 Internal Server Error" in answer.text

    def test_an_address_that_leads_inside_is_refused(self, browser: Browser, receiver: Receiver) -> None:
        save(browser, url=receiver.url(host="localhost"))
        assert "no public address" in act(browser, f"{PAGE}/test").text
        assert receiver.connections == 0

    def test_a_410_of_a_test_switches_nothing_off(self, app: Flask, browser: Browser, reachable: Receiver) -> None:
        reachable.play(reply(410))
        save(browser, url=reachable.url())
        assert "answered 410 Gone." in act(browser, f"{PAGE}/test").text
        assert mailbox_row(app).off_at is None

    def test_not_without_end(self, browser: Browser, reachable: Receiver) -> None:
        save(browser, url=reachable.url())
        codes = [act(browser, f"{PAGE}/test").status_code for _ in range(13)]
        assert codes == [200] * 12 + [429]


class TestState:
    """Switched off by a 410, and on again."""

    def test_it_says_why_and_has_a_button(self, app: Flask, browser: Browser, reachable: Receiver) -> None:
        reachable.play(reply(410), reply(200))
        with app.app_context():
            own_webhook("1001", reachable.url())
            deliver(message(app))
        page = browser.get(PAGE)
        assert "answered 410 Gone: the webhook is switched off." in page.text
        assert "answered 200 OK." in act(browser, f"{PAGE}/test").text
        assert mailbox_row(app).off_at is not None
        assert browser.submit(PAGE, f"{PAGE}/on").location == PAGE
        page = browser.get(PAGE)
        assert "In use" in page.text
        with app.app_context():
            assert deliver(message(app))[0].state == "done"

    def test_another_address_switches_it_on(self, app: Flask, browser: Browser, reachable: Receiver) -> None:
        reachable.play(reply(410))
        with app.app_context():
            own_webhook("1001", reachable.url())
            deliver(message(app))
        save(browser, url=reachable.url("/another"))
        assert mailbox_row(app).off_at is None

    def test_a_lost_key_is_told(self, app: Flask, browser: Browser, admin_browser: Browser) -> None:
        save(browser)
        app.extensions["settings"].encryption_key_file.unlink()
        page = browser.get(PAGE)
        assert (page.status_code, "ENCRYPTION_KEY" in page.text) == (200, True)
        shown = act(admin_browser, f"{PAGE}/secret")
        assert (shown.status_code, "ENCRYPTION_KEY" in shown.text) == (503, True)
        # What is typed anew is kept under a new key.
        save(browser, headers="X-Own: 1")
        assert act(admin_browser, f"{PAGE}/rotate").status_code == 200


class TestSecrets:
    """Only administrators see the secret."""

    def secret(self, answer: TestResponse) -> str:
        match = re.search(r'class="secret long">([^<]+)<', answer.text)
        assert match is not None, answer.text
        return match[1]

    def test_of_a_mailbox(self, app: Flask, admin_browser: Browser) -> None:
        save(admin_browser)
        assert hook_secret(app) not in admin_browser.get(PAGE).text
        answer = act(admin_browser, f"{PAGE}/secret")
        assert self.secret(answer) == hook_secret(app)
        assert answer.headers["Cache-Control"] == "no-store"
        new = self.secret(act(admin_browser, f"{PAGE}/rotate"))
        assert new == hook_secret(app) != self.secret(answer)

    @pytest.mark.parametrize("name", ["secret", "rotate"])
    def test_staff_do_not(self, browser: Browser, name: str) -> None:
        save(browser)
        assert act(browser, f"{PAGE}/{name}").status_code == 403
        assert "Show secret" not in browser.get(PAGE).text


class TestThatOfTheSettings:
    """On the settings page."""

    def test_its_state_and_acts(self, app: Flask, admin_browser: Browser, receiver: Receiver) -> None:
        set_webhook(app, receiver.url("/hook?key=hidden").replace("//", "//anna:hidden-pw@"))
        page = admin_browser.get(SETTINGS)
        assert f"Webhook to 127.0.0.1:{receiver.port}" in page.text
        assert "hidden-pw" not in page.text
        assert f"127.0.0.1:{receiver.port} answered 200 OK." in act(admin_browser, f"{GENERAL}/test").text
        with app.app_context():
            secret = hook().secret
            assert verified(receiver.requests[0], secret, time.time())["mailbox"] is None
        assert secret in act(admin_browser, f"{GENERAL}/secret").text
        assert secret not in act(admin_browser, f"{GENERAL}/rotate").text

    def test_one_that_is_off_can_be_switched_on(self, app: Flask, admin_browser: Browser, receiver: Receiver) -> None:
        receiver.play(reply(410))
        set_webhook(app, receiver.url())
        with app.app_context():
            deliver(message(app))
        assert "answered 410 Gone" in admin_browser.get(SETTINGS).text
        assert admin_browser.submit(SETTINGS, f"{GENERAL}/on").location == SETTINGS
        assert "answered 410 Gone" not in admin_browser.get(SETTINGS).text

    def test_a_secret_of_the_settings_is_changed_there(self, app: Flask, admin_browser: Browser) -> None:
        set_webhook(app, "https://example.com/", secret="chosen by the customer")
        assert "Make a new secret" not in admin_browser.get(SETTINGS).text
        assert "chosen by the customer" in act(admin_browser, f"{GENERAL}/secret").text
        assert act(admin_browser, f"{GENERAL}/rotate").status_code == 422

    def test_one_that_cannot_be_used_does_not_break_the_page(self, app: Flask, admin_browser: Browser) -> None:
        set_webhook(app, "http://a b/")
        assert "cannot be used" in admin_browser.get(SETTINGS).text
        assert act(admin_browser, f"{GENERAL}/test").status_code == 404

    @pytest.mark.parametrize("name", ACTS)
    def test_not_for_staff(self, browser: Browser, name: str) -> None:
        assert act(browser, f"{GENERAL}/{name}").status_code == 403


@pytest.mark.parametrize("url", [PAGE, *[f"{PAGE}/{name}" for name in ACTS], *[f"{GENERAL}/{name}" for name in ACTS]])
def test_strangers_and_forged_forms_do_nothing(stranger: Browser, browser: Browser, url: str) -> None:
    token = form_of(stranger.get("/login"), "/login").values["csrf_token"]
    assert stranger.client.post(url, data={"csrf_token": token}).location.startswith("/login")
    assert browser.client.post(url, data={"url": URL}).status_code == 400


@pytest.mark.parametrize("name", ACTS)
def test_without_a_webhook_there_is_nothing_to_do(admin_browser: Browser, name: str) -> None:
    expected = 303 if name == "on" else 404
    assert act(admin_browser, f"{PAGE}/{name}").status_code == expected
    assert act(admin_browser, f"/console/voicemail/mailboxes/999/webhook/{name}").status_code == 404


def hook_secret(app: Flask) -> str:
    with app.app_context():
        return hook(mailboxes.get("1001").id).secret
