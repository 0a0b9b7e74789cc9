"""Mailboxes in the portal: the list, create, edit, PIN, delete; all of it without scripts."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest
from flask import Flask

from app.errors import NotFound
from app.services import greetings, mailboxes, pins
from app.services.mailbox_options import Options
from tests.web.browser import HTMX, Browser, form_of

LIST = "/console/voicemail"
NEW = f"{LIST}/mailboxes/new"
CREATE = f"{LIST}/mailboxes"
SOUND = Path(__file__).resolve().parents[2] / "sounds" / "en" / "greeting_default.wav"
MARKUP = '<script>alert("x")</script>'


def make(app: Flask, *extensions: str, name: str = "") -> None:
    with app.app_context():
        for extension in extensions:
            mailboxes.create(extension, pin="4711", name=name, actor="test")


def pin_is(app: Flask, extension: str, pin: str) -> bool:
    with app.app_context():
        return pins.verify(mailboxes.get(extension).pin_hash, pin)


class TestList:
    """GET /console/voicemail."""

    def test_the_portal_begins_with_it(self, browser: Browser) -> None:
        assert browser.get("/").location == LIST

    def test_an_empty_one_says_what_to_do(self, browser: Browser) -> None:
        page = browser.get(LIST)
        assert "There are no mailboxes yet" in page.text
        assert f'href="{NEW}"' in page.text

    def test_it_counts_what_is_new(self, browser: Browser, mailbox: str, make_message: Callable[..., str]) -> None:
        for _ in range(3):
            make_message(mailbox, uploaded=False)
        page = browser.get(LIST)
        assert f'href="{LIST}/{mailbox}"' in page.text
        assert re.search(r'class="badge new">3<', page.text)

    def test_names_are_text(self, app: Flask, browser: Browser) -> None:
        make(app, "1001", name=MARKUP)
        page = browser.get(LIST)
        assert MARKUP not in page.text
        assert "&lt;script&gt;" in page.text

    def test_search(self, app: Flask, browser: Browser) -> None:
        make(app, "1001", name="Sales")
        make(app, "2002", name="Repairs")
        page = browser.get(f"{LIST}?search=repa")
        assert "2002" in page.text
        assert "1001" not in page.text
        assert 'value="repa"' in page.text

    def test_a_search_without_result_says_what_to_do(self, browser: Browser, mailbox: str) -> None:
        page = browser.get(LIST, query_string={"search": MARKUP})
        assert "No mailbox matches" in page.text
        assert MARKUP not in page.text

    def test_pages(self, app: Flask, browser: Browser) -> None:
        make(app, *(str(1000 + number) for number in range(26)))
        first = browser.get(LIST).text
        assert "1024" in first
        assert "1025" not in first
        assert 'rel="next"' in first
        assert "1025" in browser.get(f"{LIST}?page=2").text

    @pytest.mark.parametrize("page", ["0", "-5", "x", "99999999999999999999999", "1e9", ""])
    def test_any_page_number_shows_a_page(self, browser: Browser, mailbox: str, page: str) -> None:
        answer = browser.get(LIST, query_string={"page": page})
        assert answer.status_code == 200
        assert mailbox in answer.text

    def test_htmx_gets_the_list_alone(self, browser: Browser, mailbox: str) -> None:
        answer = browser.get(LIST, headers=HTMX)
        assert mailbox in answer.text
        assert "<html" not in answer.text
        assert "HX-Request" in answer.headers["Vary"]

    def test_a_poll_gets_nothing_until_something_changed(
        self, browser: Browser, mailbox: str, make_message: Callable[..., str]
    ) -> None:
        version = re.search(r'"version": "(\w+)"', browser.get(LIST).text)
        assert version
        poll = {"query_string": {"version": version[1]}, "headers": HTMX}
        assert browser.get(LIST, **poll).status_code == 204
        make_message(mailbox, uploaded=False)
        assert browser.get(LIST, **poll).status_code == 200


class TestCreate:
    """POST /console/voicemail/mailboxes."""

    def test_with_a_pin(self, app: Flask, browser: Browser) -> None:
        data = {"extension": "1001", "name": "Sales", "email": "s@example.com", "language": "fr", "pin": "483920"}
        answer = browser.submit(NEW, CREATE, data)
        assert (answer.status_code, answer.location) == (303, f"{LIST}/1001")
        with app.app_context():
            box = mailboxes.get("1001")
            assert (box.name, box.email, box.language, box.timezone) == ("Sales", "s@example.com", "fr", "UTC")
        assert pin_is(app, "1001", "483920")
        assert "Mailbox 1001 is ready." in browser.get(f"{LIST}/1001").text

    def test_without_a_pin_one_is_made_and_shown_once(self, app: Flask, browser: Browser) -> None:
        answer = browser.submit(NEW, CREATE, {"extension": "1001"})
        shown = re.search(r'class="secret">(\d+)<', answer.text)
        assert shown
        assert pin_is(app, "1001", shown[1])
        assert answer.headers["Cache-Control"] == "no-store"
        assert shown[1] not in browser.get(f"{LIST}/1001").text

    def test_a_greeting_may_come_along(self, app: Flask, browser: Browser) -> None:
        with SOUND.open("rb") as file:
            browser.submit(NEW, CREATE, {"extension": "1001", "pin": "483920", "greeting": (file, "hello.wav")})
        with app.app_context():
            assert greetings.find("1001") is not None

    def test_a_greeting_that_is_none_leaves_the_mailbox_and_is_told(self, app: Flask, browser: Browser) -> None:
        file = (io.BytesIO(b"%PDF-1.7 not a sound"), "hello.wav")
        answer = browser.submit(NEW, CREATE, {"extension": "1001", "pin": "483920", "greeting": file})
        assert answer.status_code == 303
        assert "The greeting was not taken." in browser.get(answer.location).text
        with app.app_context():
            assert greetings.find("1001") is None

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("extension", "", "Type the extension"),
            ("extension", "10a1", "1 to 20 digits"),
            ("extension", "1" * 21, "1 to 20 digits"),
            ("extension", "١٢٣", "1 to 20 digits"),
            ("name", "x" * 10_000, "at most 100 characters"),
            ("email", "nobody", "not an e-mail address"),
            ("language", "xx", "Not a valid choice"),
            ("timezone", "Mars/Base", "not a time zone"),
            ("timezone", "../../etc/passwd", "not a time zone"),
            ("pin", "1234", "count up or down"),
            ("pin", "7890", "count up or down"),
            ("pin", "8765", "count up or down"),
            ("pin", "5555", "all be the same"),
            ("pin", "123", "4 to 8 digits"),
            ("pin", "123456789", "4 to 8 digits"),
            ("pin", "abcd", "digits only"),
            ("pin", "10017", "must not be the extension"),
        ],
    )
    def test_wrong_input_is_told_beside_its_field(
        self, browser: Browser, field: str, value: str, sentence: str
    ) -> None:
        data = {"extension": "10017", "pin": "483920", field: value}
        answer = browser.submit(NEW, CREATE, data)
        assert answer.status_code == 422
        error = re.search(rf'id="{field}-error">([^<]+)<', answer.text)
        assert error
        assert sentence in error[1]
        assert "483920" not in answer.text, "a PIN is not written into a page"

    def test_htmx_gets_the_form_with_its_errors(self, browser: Browser) -> None:
        answer = browser.submit(NEW, CREATE, {"extension": "abc"}, headers=HTMX)
        assert answer.status_code == 422
        assert answer.text.lstrip().startswith("<form")
        assert 'value="abc"' in answer.text

    def test_htmx_is_sent_on_when_done(self, browser: Browser) -> None:
        answer = browser.submit(NEW, CREATE, {"extension": "1001", "pin": "483920"}, headers=HTMX)
        assert answer.headers["HX-Redirect"] == f"{LIST}/1001"

    def test_with_htmx_the_pin_stands_in_place_of_the_page(self, browser: Browser) -> None:
        answer = browser.submit(NEW, CREATE, {"extension": "1001"}, headers=HTMX)
        assert answer.headers["HX-Retarget"] == "#content"
        assert 'class="secret"' in answer.text
        # Told here, not on whatever page comes next.
        assert "Mailbox 1001 is ready." in answer.text
        assert "is ready" not in browser.get(LIST).text

    def test_an_extension_that_is_taken(self, browser: Browser, mailbox: str) -> None:
        answer = browser.submit(NEW, CREATE, {"extension": mailbox, "pin": "483920"})
        assert "exists already" in answer.text

    @pytest.mark.parametrize("name", [MARKUP, "😀 営業部", 'O\'Brien & "Söhne"'])
    def test_any_name_is_kept_and_shown_as_text(self, app: Flask, browser: Browser, name: str) -> None:
        browser.submit(NEW, CREATE, {"extension": "1001", "pin": "483920", "name": name})
        with app.app_context():
            assert mailboxes.get("1001").name == name
        for url in (LIST, f"{LIST}/1001", f"{LIST}/mailboxes/1001/edit"):
            assert MARKUP not in browser.get(url).text

    def test_a_nul_is_refused(self, browser: Browser) -> None:
        assert browser.submit(NEW, CREATE, {"extension": "1001", "name": "a\0b"}).status_code == 400


class TestEdit:
    """POST /console/voicemail/mailboxes/{ext}."""

    def test_values_are_shown_and_changed(self, app: Flask, browser: Browser, mailbox: str) -> None:
        url = f"{LIST}/mailboxes/{mailbox}"
        assert 'value="Anna Example"' in browser.get(f"{url}/edit").text
        answer = browser.submit(f"{url}/edit", url, {"name": "Other", "timezone": "Europe/Berlin"})
        assert answer.location == f"{LIST}/{mailbox}"
        with app.app_context():
            assert (mailboxes.get(mailbox).name, mailboxes.get(mailbox).timezone) == ("Other", "Europe/Berlin")

    def test_another_extension(self, app: Flask, browser: Browser, mailbox: str) -> None:
        url = f"{LIST}/mailboxes/{mailbox}"
        assert browser.submit(f"{url}/edit", url, {"extension": "1099"}).location == f"{LIST}/1099"
        assert browser.get(f"{LIST}/{mailbox}").status_code == 404

    def test_a_taken_extension(self, app: Flask, browser: Browser, mailbox: str) -> None:
        make(app, "1099")
        url = f"{LIST}/mailboxes/{mailbox}"
        answer = browser.submit(f"{url}/edit", url, {"extension": "1099"})
        assert answer.status_code == 422
        assert "exists already" in answer.text

    def test_an_extension_that_is_the_pin(self, app: Flask, browser: Browser, mailbox: str) -> None:
        with app.app_context():
            mailboxes.reset_pin(mailbox, "902817", actor="a test")
        url = f"{LIST}/mailboxes/{mailbox}"
        answer = browser.submit(f"{url}/edit", url, {"extension": "902817"})
        assert answer.status_code == 422
        assert "must not be its extension" in answer.text
        assert browser.submit(f"{url}/edit", url, {"extension": "902818"}).status_code == 303


class TestOptions:
    """What a mailbox does on the phone, and its limits."""

    URL = f"{LIST}/mailboxes/1001"
    TYPED = MappingProxyType(
        {
            "aliases": "2001, 2002",
            "operator": "100",
            "announcement_only": "y",
            "trusts_own_phone": "y",
            "speaks_envelope": "no",
            "review": "yes",
            "max_messages": "50",
            "max_seconds": "3600",
            "max_duration": "90",
            "silence_timeout": "2.5",
            "min_speech": "1",
            "new_days": "30",
            "saved_days": "0",
            "trash_days": "7",
            "mail_attachment": "mp3",
            "after_mailing": "keep",
        }
    )
    LIMITS = ("50", "3600", "90", "2.5", "1", "30", "0", "7")
    MEANT = Options("2001 2002", "100", True, True, False, True, *LIMITS, "mp3", "keep")

    def options(self, app: Flask, extension: str = "1001") -> Options:
        with app.app_context():
            return Options.of(mailboxes.get(extension))

    def test_of_a_new_mailbox(self, app: Flask, browser: Browser) -> None:
        answer = browser.submit(NEW, CREATE, {"extension": "1001", "pin": "483920", **self.TYPED})
        assert answer.status_code == 303
        assert self.options(app) == self.MEANT

    def test_they_are_shown_changed_and_given_back_to_the_settings(
        self, app: Flask, browser: Browser, mailbox: str
    ) -> None:
        assert browser.submit(f"{self.URL}/edit", self.URL, dict(self.TYPED)).status_code == 303
        assert self.options(app) == self.MEANT
        # A form that is sent as it is shown changes nothing.
        assert browser.submit(f"{self.URL}/edit", self.URL).status_code == 303
        assert self.options(app) == self.MEANT
        form = form_of(browser.get(f"{self.URL}/edit"), self.URL).values
        details = {name: value for name, value in form.items() if name not in self.TYPED}
        assert browser.client.post(self.URL, data=details | {"operator": ""}).status_code == 303
        assert self.options(app) == Options()

    def test_a_program_that_knows_of_none_leaves_them(self, app: Flask, browser: Browser, mailbox: str) -> None:
        browser.submit(f"{self.URL}/edit", self.URL, dict(self.TYPED))
        form = form_of(browser.get(f"{self.URL}/edit"), self.URL).values
        details = {name: value for name, value in form.items() if name not in self.TYPED}
        assert browser.client.post(self.URL, data=details).status_code == 303
        assert self.options(app) == self.MEANT

    def test_empty_fields_show_the_settings(self, browser: Browser, mailbox: str) -> None:
        text = browser.get(f"{self.URL}/edit").text
        for name, general in (("max_duration", "120"), ("max_messages", "any number"), ("operator", "none")):
            assert re.search(rf'<input id="{name}"[^>]*placeholder="{general}"', text)
        assert "As in the settings (yes)" in text

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("aliases", "20a1", "1 to 20 digits"),
            ("aliases", MARKUP, "1 to 20 digits"),
            ("operator", "sip:x@y", "number to dial"),
            ("max_messages", "-1", "a whole number"),
            ("max_messages", "1.5", "a whole number"),
            ("max_seconds", "lots", "a whole number"),
            ("max_duration", "1e9", "from 1 to 3,600"),
            ("silence_timeout", "0", "from 0.5 to 60"),
            ("min_speech", "NaN", "from 0 to 60"),
        ],
    )
    @pytest.mark.parametrize(("page", "action"), [(NEW, CREATE), (f"{URL}/edit", URL)])
    def test_wrong_input_is_told_beside_its_field(
        self, browser: Browser, mailbox: str, page: str, action: str, field: str, value: str, sentence: str
    ) -> None:
        extension = "1002" if action == CREATE else mailbox
        answer = browser.submit(page, action, {"extension": extension, field: value})
        assert answer.status_code == 422
        error = re.search(rf'id="{field}-error">([^<]+)<', answer.text)
        assert error
        assert sentence in error[1]
        assert MARKUP not in answer.text

    def test_a_number_of_another_mailbox(self, app: Flask, browser: Browser, mailbox: str) -> None:
        make(app, "1099")
        answer = browser.submit(f"{self.URL}/edit", self.URL, {"aliases": "1099"})
        assert answer.status_code == 422
        assert "1099 leads to mailbox 1099 already" in answer.text


class TestPin:
    """POST …/reset-pin."""

    URL = f"{LIST}/mailboxes/1001/reset-pin"

    def test_typed(self, app: Flask, browser: Browser, mailbox: str) -> None:
        answer = browser.submit(self.URL, self.URL, {"pin": "902817"})
        assert answer.status_code == 303
        assert pin_is(app, mailbox, "902817")
        assert "902817" not in browser.get(answer.location).text

    def test_made_and_shown_once(self, app: Flask, browser: Browser, mailbox: str) -> None:
        answer = browser.submit(self.URL, self.URL, {"pin": ""})
        shown = re.search(r'class="secret">(\d+)<', answer.text)
        assert shown
        assert pin_is(app, mailbox, shown[1])
        assert not pin_is(app, mailbox, "4711")

    def test_a_weak_one_is_refused_with_its_rule(self, app: Flask, browser: Browser, mailbox: str) -> None:
        answer = browser.submit(self.URL, self.URL, {"pin": "0987"}, headers=HTMX)
        assert answer.status_code == 422
        assert "count up or down" in answer.text
        assert "0987" not in answer.text
        assert pin_is(app, mailbox, "4711")


class TestDelete:
    """POST …/delete."""

    URL = f"{LIST}/mailboxes/1001/delete"

    def test_the_extension_is_asked_for(self, app: Flask, browser: Browser, mailbox: str) -> None:
        for wrong in ("", "1002", "yes"):
            answer = browser.submit(self.URL, self.URL, {"confirm": wrong})
            assert answer.status_code == 422
            assert 'id="confirm-error"' in answer.text
        with app.app_context():
            assert mailboxes.get(mailbox)

    def test_then_it_is_gone(self, app: Flask, browser: Browser, mailbox: str) -> None:
        answer = browser.submit(self.URL, self.URL, {"confirm": mailbox})
        assert answer.location == LIST
        assert "Mailbox 1001 is deleted." in browser.get(LIST).text
        with app.app_context(), pytest.raises(NotFound):
            mailboxes.get(mailbox)


@pytest.mark.parametrize(
    "path",
    ["99", "mailboxes/99/edit", "mailboxes/99/reset-pin", "mailboxes/99/delete", "99/greeting/audio", "99/messages"],
)
def test_an_unknown_mailbox_is_404(browser: Browser, path: str) -> None:
    answer = browser.get(f"{LIST}/{path}")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.text


@pytest.mark.parametrize("path", ["abc", "1" * 21, "1001/x", "..%2f1001", "1001'", "%00"])
def test_a_strange_address_is_answered(browser: Browser, mailbox: str, path: str) -> None:
    assert browser.get(f"{LIST}/{path}").status_code in (400, 404)
