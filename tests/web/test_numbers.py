"""Pages of numbers, mailboxes' own documents and the account: who may see what, without scripts and with HTMX."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.account import account_of
from app.extensions import db
from app.models import Number
from app.services import mailboxes, numbers
from app.services.numbers import Details
from tests.support import make_settings
from tests.web.browser import HTMX, Browser, form_of, forms_of

ALL, ACCOUNT = "/console/voicemail/numbers", "/console/voicemail/account"
NEW = f"{ALL}/new"
URL = "https://example.com/voice"


def errors(answer: TestResponse) -> list[str]:
    return re.findall(r'class="error"[^>]*>([^<]+)<', answer.text)


@pytest.fixture
def add(app: Flask) -> Callable[..., str]:
    """Make a number, or a mailbox's own document; its id."""

    def make(number: str = "5551234", extension: str = "", **details: str) -> str:
        with app.app_context():
            wanted = Details(**{"number": number, "voice_url": URL} | details)
            return numbers.create(wanted, extension=extension, actor="test").id

    return make


def change(app: Flask, **variables: str) -> None:
    app.extensions["settings"] = make_settings(app.extensions["settings"].instance, **variables)


def only_number(app: Flask) -> Number:
    with app.app_context():
        row = db.session.query(Number).one()
        db.session.expunge(row)
        return row


class TestList:
    """The page that begins it."""

    def test_an_empty_one_explains_and_leads_on(self, admin_browser: Browser) -> None:
        page = admin_browser.get(ALL)
        assert "There are no numbers yet" in page.text
        assert f'href="{NEW}"' in page.text
        assert f'href="{ALL}"' in admin_browser.get("/console/voicemail").text

    def test_the_staff_sees_and_does_not_touch(self, browser: Browser, add: Callable[..., str]) -> None:
        assert "An administrator can make one" in browser.get(ALL).text
        one = f"{ALL}/{add()}"
        for page in (ALL, one):
            text = browser.get(page).text
            assert URL in text
            for words in (NEW, "/edit", "/delete", ACCOUNT):
                assert words not in text
        token = browser.csrf_token()
        for url in (NEW, f"{one}/edit", f"{one}/delete", ACCOUNT):
            assert browser.get(url).status_code == 403
        for url in (ALL, one, f"{one}/delete", f"{ACCOUNT}/token", f"{ACCOUNT}/rotate"):
            assert browser.client.post(url, data={"csrf_token": token}).status_code == 403

    def test_strangers_log_in_first(self, stranger: Browser, add: Callable[..., str]) -> None:
        for url in (ALL, NEW, f"{ALL}/{add()}", ACCOUNT):
            assert "/login" in stranger.get(url).location

    def test_it_shows_no_secrets(self, admin_browser: Browser, add: Callable[..., str]) -> None:
        one = add(
            voice_url="https://anna:@8675309@example.com/voice?token=abc&x=1",
            fallback_url="http://a:8675309@example.com/",
        )
        for page in (ALL, f"{ALL}/{one}"):
            text = admin_browser.get(page).text
            assert "example.com/voice?token=***&amp;x=1" in text
            assert "8675309" not in text

    def test_the_staff_searches_no_secrets(
        self, admin_browser: Browser, browser: Browser, add: Callable[..., str]
    ) -> None:
        add("5551234", name="Sales", voice_url="https://anna:8675309@example.com/voice")
        for text, by_admin, by_staff in (("8675309", True, False), ("example", True, False), ("sales", True, True)):
            for who, found in ((admin_browser, by_admin), (browser, by_staff)):
                assert (">5551234<" in who.get(f"{ALL}?search={text}", headers=HTMX).text) is found

    def test_a_search_is_a_part_of_the_page(self, admin_browser: Browser, add: Callable[..., str]) -> None:
        add("5551234", name="<b>Sales</b>")
        add("*")
        part = admin_browser.get(f"{ALL}?search=sales", headers=HTMX).text
        assert "&lt;b&gt;Sales" in part
        assert "All other calls" not in part
        assert "<html" not in part
        assert "No number matches “zz”" in admin_browser.get(f"{ALL}?search=zz").text
        for strange in ("page=0", "page=-1", "page=x", "page=99999999999999999999", "search=%25", "search=%ED%A0%80"):
            assert admin_browser.get(f"{ALL}?{strange}").status_code == 200

    def test_switched_off_is_said(self, app: Flask, admin_browser: Browser, add: Callable[..., str]) -> None:
        one = add()
        change(app, VOICEMAIL__PROGRAMMABLE__ENABLED="false")
        for page in (ALL, f"{ALL}/{one}"):
            assert "switched off in the settings" in admin_browser.get(page).text


class TestNumber:
    """One of them, from the form to its end."""

    def test_made_changed_and_deleted_without_scripts(self, app: Flask, admin_browser: Browser) -> None:
        typed = {"number": "+49 30 1234", "voice_url": URL, "voice_method": "GET", "name": "Sales", "language": "fr"}
        made = admin_browser.submit(NEW, ALL, typed)
        row = only_number(app)
        one = f"{ALL}/{row.id}"
        assert (made.status_code, made.location) == (303, one)
        assert (row.number, row.voice_method, row.name, row.language) == ("+49301234", "GET", "Sales", "fr")
        page = admin_browser.get(one)
        assert "documents answer from the next call on" in page.text
        assert "No call has come to this number yet" in page.text
        shown = form_of(admin_browser.get(f"{one}/edit"), one).values
        assert (shown["number"], shown["voice_url"], shown["voice_method"]) == ("+49301234", URL, "GET")
        assert admin_browser.submit(f"{one}/edit", one, {"number": "*", "fallback_url": URL}).location == one
        assert "All other calls" in admin_browser.get(one).text
        asked = admin_browser.get(f"{one}/delete")
        assert "Delete All other calls?" in asked.text
        assert admin_browser.submit(f"{one}/delete", f"{one}/delete").location == ALL
        assert "documents no longer answer" in admin_browser.get(ALL).text
        assert admin_browser.get(one).status_code == 404

    def test_what_is_wrong_stands_beside_its_field(self, admin_browser: Browser, mailbox: str) -> None:
        for headers in ({}, HTMX):
            answer = admin_browser.submit(NEW, ALL, {"number": mailbox, "voice_url": "no url"}, headers=headers)
            assert answer.status_code == 422
            assert ("<html" in answer.text) is not bool(headers)
            said = errors(answer)
            assert "leads to mailbox 1001" in said[0]
            assert "not an http or https address" in said[1]
            assert form_of(answer, ALL).values["voice_url"] == "no url"

    def test_an_empty_form(self, admin_browser: Browser) -> None:
        assert len(errors(admin_browser.submit(NEW, ALL, {}))) == 2

    def test_a_wrong_choice_is_no_traceback(self, admin_browser: Browser) -> None:
        typed = {"number": "1", "voice_url": URL, "voice_method": "PUT", "language": "xx"}
        answer = admin_browser.submit(NEW, ALL, typed)
        assert answer.status_code == 422
        assert len(errors(answer)) == 2

    def test_a_problem_of_the_fallback_is_to_be_seen(self, admin_browser: Browser) -> None:
        answer = admin_browser.submit(NEW, ALL, {"number": "1", "voice_url": URL, "fallback_url": "x"})
        assert re.search(r"<details[^>]* open>", answer.text)

    def test_a_form_of_htmx_goes_on_to_the_page(self, app: Flask, admin_browser: Browser) -> None:
        answer = admin_browser.submit(NEW, ALL, {"number": "1", "voice_url": URL}, headers=HTMX)
        assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, f"{ALL}/{only_number(app).id}")

    def test_a_private_host_is_warned_of(self, app: Flask, admin_browser: Browser, add: Callable[..., str]) -> None:
        one = f"{ALL}/{add(voice_url='http://127.0.0.1:5000/voice')}"
        assert "127.0.0.1 is a private address" in admin_browser.get(one).text
        change(app, VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS="127.0.0.0/8")
        assert "private address" not in admin_browser.get(one).text

    def test_the_second_of_two_who_edit_undoes_nothing(
        self, app: Flask, admin_browser: Browser, add: Callable[..., str]
    ) -> None:
        one = f"{ALL}/{add()}"
        opened = form_of(admin_browser.get(f"{one}/edit"), one).values | {"name": "Typed"}
        admin_browser.submit(f"{one}/edit", one, {"voice_url": f"{URL}/theirs"})
        answer = admin_browser.client.post(one, data=opened)
        assert answer.status_code == 422
        assert "This number has changed since you opened it. Your changes are not saved." in answer.text
        assert f'href="{one}/edit"' in answer.text
        assert (only_number(app).voice_url, only_number(app).name) == (f"{URL}/theirs", "")
        kept = form_of(answer, one).values
        assert kept["name"] == "Typed"
        for _ in range(2):
            # Saved again on purpose; and a form that is sent twice is no conflict.
            assert admin_browser.client.post(one, data=kept).status_code == 303
        assert (only_number(app).voice_url, only_number(app).name) == (URL, "Typed")

    def test_a_form_of_an_earlier_version(self, app: Flask, admin_browser: Browser, add: Callable[..., str]) -> None:
        one = f"{ALL}/{add()}"
        opened = form_of(admin_browser.get(f"{one}/edit"), one).values
        admin_browser.submit(f"{one}/edit", one, {"name": "Theirs"})
        del opened["seen_version"]
        assert admin_browser.client.post(one, data=opened | {"name": "Typed"}).status_code == 303
        assert only_number(app).name == "Typed"

    def test_unknown_ones(self, admin_browser: Browser) -> None:
        for path in ("x", "00000000-0000-4000-8000-000000000000"):
            for end in ("", "/edit", "/delete"):
                assert admin_browser.get(f"{ALL}/{path}{end}").status_code == 404

    def test_a_post_needs_its_token(self, admin_browser: Browser, add: Callable[..., str]) -> None:
        one = f"{ALL}/{add()}"
        for url in (ALL, one, f"{one}/delete", f"{ACCOUNT}/token", f"{ACCOUNT}/rotate"):
            assert admin_browser.client.post(url).status_code == 400


class TestOwnDocument:
    """A mailbox's own document."""

    PAGE = "/console/voicemail/mailboxes/1001/document"
    MAILBOX = "/console/voicemail/1001"

    def test_from_its_page_and_back(self, app: Flask, admin_browser: Browser, mailbox: str) -> None:
        assert f'href="{self.PAGE}"' in admin_browser.get(self.MAILBOX).text
        assert "number" not in form_of(admin_browser.get(self.PAGE), self.PAGE).values
        made = admin_browser.submit(self.PAGE, self.PAGE, {"voice_url": URL})
        row = only_number(app)
        one = f"{ALL}/{row.id}"
        assert made.location == one
        assert "Mailbox 1001" in admin_browser.get(one).text
        assert URL in admin_browser.get(self.MAILBOX).text
        assert admin_browser.get(self.PAGE).location == f"{one}/edit"
        assert admin_browser.submit(f"{one}/edit", one, {"voice_method": "GET"}).location == one
        assert only_number(app).voice_method == "GET"
        assert admin_browser.submit(f"{one}/delete", f"{one}/delete").location == self.MAILBOX
        assert "answers with its greeting again" in admin_browser.get(self.MAILBOX).text

    def test_it_says_that_the_mailbox_answers_where_the_document_fails(
        self, admin_browser: Browser, mailbox: str
    ) -> None:
        form = admin_browser.get(self.PAGE).text
        assert "the mailbox answers itself, with its greeting" in form
        assert "apology" not in form
        made = admin_browser.submit(self.PAGE, self.PAGE, {"voice_url": URL})
        assert "none: the mailbox answers itself" in admin_browser.get(made.location).text

    def test_one_that_is_switched_off(
        self, app: Flask, browser: Browser, mailbox: str, add: Callable[..., str]
    ) -> None:
        add("", mailbox)
        change(app, VOICEMAIL__PROGRAMMABLE__ENABLED="false")
        assert "Callers hear the greeting" in browser.get(self.MAILBOX).text

    def test_two_at_once(self, admin_browser: Browser, mailbox: str, add: Callable[..., str]) -> None:
        form = form_of(admin_browser.get(self.PAGE), self.PAGE)
        add("", mailbox)
        answer = admin_browser.client.post(self.PAGE, data=form.values | {"voice_url": URL})
        assert answer.status_code == 422
        assert numbers.HAS_ONE in answer.text

    def test_the_new_mailbox_of_a_number_does_not_get_it(
        self, app: Flask, admin_browser: Browser, mailbox: str
    ) -> None:
        form = form_of(admin_browser.get(self.PAGE), self.PAGE)
        with app.app_context():
            mailboxes.delete(mailbox, confirm=mailbox, actor="test")
            mailboxes.create(mailbox, pin="4711", actor="test")
        answer = admin_browser.client.post(self.PAGE, data=form.values | {"voice_url": URL})
        assert answer.status_code == 409
        assert "has been deleted, and 1001 is another mailbox" in answer.text
        with app.app_context():
            assert db.session.query(Number).count() == 0

    def test_the_staff_sees_it_where_there_is_one(
        self, browser: Browser, mailbox: str, add: Callable[..., str]
    ) -> None:
        assert "Own document" not in browser.get(self.MAILBOX).text
        assert browser.get(self.PAGE).status_code == 403
        add("", mailbox)
        assert URL in browser.get(self.MAILBOX).text

    def test_it_goes_with_its_mailbox(
        self, app: Flask, admin_browser: Browser, mailbox: str, add: Callable[..., str]
    ) -> None:
        one = f"{ALL}/{add('', mailbox)}"
        with app.app_context():
            mailboxes.delete(mailbox, confirm=mailbox, actor="test")
        for url in (one, f"{one}/edit", self.PAGE):
            assert admin_browser.get(url).status_code == 404


class TestAccount:
    """Sid and token."""

    def test_the_token_is_shown_when_it_is_asked_for(self, app: Flask, admin_browser: Browser) -> None:
        account = account_of(app.extensions["settings"])
        page = admin_browser.get(ACCOUNT)
        assert account.sid in page.text
        assert account.token not in page.text
        shown = admin_browser.submit(ACCOUNT, f"{ACCOUNT}/token")
        assert account.token in shown.text
        assert shown.headers["Cache-Control"] == "no-store"
        assert admin_browser.get(f"{ACCOUNT}/token").status_code == 405

    def test_another_token(self, app: Flask, admin_browser: Browser) -> None:
        before = account_of(app.extensions["settings"])
        shown = admin_browser.submit(ACCOUNT, f"{ACCOUNT}/rotate")
        after = account_of(app.extensions["settings"])
        assert after.token in shown.text
        assert after.token != before.token

    def test_one_of_the_settings_is_changed_there(self, app: Flask, admin_browser: Browser) -> None:
        change(app, VOICEMAIL__PROGRAMMABLE__AUTH_TOKEN="given by the test")
        page = admin_browser.get(ACCOUNT)
        assert "stands in the settings" in page.text
        assert [form.action for form in forms_of(page) if "rotate" in form.action] == []
        answer = admin_browser.client.post(f"{ACCOUNT}/rotate", data={"csrf_token": admin_browser.csrf_token()})
        assert answer.status_code == 422
        assert "change it there" in answer.text
