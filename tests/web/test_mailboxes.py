"""Mailboxes in the portal: the list, create, edit, PIN, delete; all of it without scripts."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.errors import NotFound
from app.services import greetings, mailboxes, phone_access, pins, webhook_changes
from app.services.mailbox_options import Options
from app.storage import StoreError
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

    @pytest.mark.parametrize("wrong", [{"language": "xx"}, {"email": "nobody"}], ids=["form", "service"])
    def test_a_page_that_lost_the_greeting_asks_for_it_again(self, browser: Browser, wrong: dict[str, str]) -> None:
        data = {"extension": "1001", "greeting": (io.BytesIO(b"RIFF"), "hello.wav"), **wrong}
        answer = browser.submit(NEW, CREATE, data)
        assert answer.status_code == 422
        assert 'id="greeting-error">Choose the greeting again.<' in answer.text

    def test_nobody_is_asked_for_a_greeting_who_had_chosen_none_or_still_has_it(self, browser: Browser) -> None:
        wrong = {"extension": "1001", "email": "nobody"}
        assert "Choose the greeting again." not in browser.submit(NEW, CREATE, wrong).text
        data = {**wrong, "greeting": (io.BytesIO(b"RIFF"), "hello.wav")}
        fragment = browser.submit(NEW, CREATE, data, headers=HTMX).text
        assert "Choose the greeting again." not in fragment
        assert re.search(r'<input id="greeting"[^>]* hx-preserve=', fragment)

    @pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
    def test_a_store_that_is_away_does_not_swallow_the_pin(
        self, app: Flask, browser: Browser, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
    ) -> None:
        def away(*_: object, **__: object) -> None:
            raise StoreError("away")

        monkeypatch.setattr("app.storage.local.LocalStore.put", away)
        with SOUND.open("rb") as file:
            data = {"extension": "1001", "greeting": (file, "hello.wav")}
            answer = browser.submit(NEW, CREATE, data, headers=headers)
        assert answer.status_code == 200
        shown = re.search(r'class="secret">(\d+)<', answer.text)
        assert shown
        assert pin_is(app, "1001", shown[1])
        assert "The greeting was not taken. The store does not answer" in answer.text

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


class TestMeanwhile:
    """A form that was open while somebody else changed the mailbox, or gave its extension to another one."""

    URL = f"{LIST}/mailboxes/1001"
    PRESENT = f'href="{URL}/edit"'
    OUTDATED = "This mailbox has changed since you opened it. Your changes are not saved."
    MOVED = "The mailbox that you opened as 1001 has the extension 1002 now"

    @pytest.fixture
    def opened(self, browser: Browser, mailbox: str) -> dict[str, str]:
        """The form of 1001 as somebody has it open, who changes name and language."""
        shown = form_of(browser.get(f"{self.URL}/edit"), self.URL).values
        return shown | {"name": "Typed", "language": "fr"}

    def change(self, app: Flask, new_extension: str = "1001", **details: str) -> None:
        """What the other one does."""
        values = {"name": "Anna Example", "email": "", "language": "en", "timezone": "UTC"} | details
        with app.app_context():
            mailboxes.update("1001", **values, new_extension=new_extension, actor="the other one")

    def state(self, app: Flask, extension: str = "1001") -> tuple[str, str, str]:
        with app.app_context():
            box = mailboxes.get(extension)
            return box.name, box.email, box.language

    def moved(self, app: Flask) -> None:
        """1001 becomes 1002, and there is a new 1001."""
        self.change(app, "1002")
        make(app, "1001", name="New")

    @pytest.mark.parametrize("headers", [{}, HTMX])
    def test_the_second_of_two_who_edit_undoes_nothing(
        self, app: Flask, browser: Browser, opened: dict[str, str], headers: dict[str, str]
    ) -> None:
        self.change(app, name="Theirs", email="theirs@example.com")
        answer = browser.client.post(self.URL, data=opened, headers=headers)
        assert answer.status_code == 422
        assert self.OUTDATED in answer.text
        assert self.PRESENT in answer.text
        assert self.state(app) == ("Theirs", "theirs@example.com", "en")
        kept = form_of(answer, self.URL).values
        assert (kept["name"], kept["language"], kept["email"]) == ("Typed", "fr", opened["email"])
        # Who has read that saves again on purpose.
        assert browser.client.post(self.URL, data=kept, headers=headers).status_code == (204 if headers else 303)
        assert self.state(app) == ("Typed", opened["email"], "fr")

    def test_a_third_one_is_not_overwritten_by_that(self, app: Flask, browser: Browser, opened: dict[str, str]) -> None:
        self.change(app, name="Theirs")
        kept = form_of(browser.client.post(self.URL, data=opened), self.URL).values
        self.change(app, name="Of a third one")
        assert self.OUTDATED in browser.client.post(self.URL, data=kept).text
        assert self.state(app)[0] == "Of a third one"

    def test_what_is_wrong_with_a_field_does_not_make_the_form_a_new_one(
        self, app: Flask, browser: Browser, opened: dict[str, str]
    ) -> None:
        self.change(app, name="Theirs")
        wrong = browser.client.post(self.URL, data=opened | {"timezone": "Mars/Base"})
        assert "not a time zone" in wrong.text
        kept = form_of(wrong, self.URL).values | {"timezone": "UTC"}
        assert self.OUTDATED in browser.client.post(self.URL, data=kept).text
        assert self.state(app)[0] == "Theirs"

    def test_numbers_that_lead_to_it_are_a_part_of_it(
        self, app: Flask, browser: Browser, opened: dict[str, str]
    ) -> None:
        values = {"name": "Anna Example", "email": "", "language": "en", "timezone": "UTC"}
        with app.app_context():
            mailboxes.update("1001", **values, options=Options(aliases="2001"), actor="the other one")
        assert self.OUTDATED in browser.client.post(self.URL, data=opened).text
        with app.app_context():
            assert Options.of(mailboxes.get("1001")).aliases == "2001"

    def test_what_the_form_does_not_show_does_not_count(
        self, app: Flask, browser: Browser, opened: dict[str, str], make_message: Callable[..., str]
    ) -> None:
        make_message("1001", uploaded=False)
        with app.app_context():
            mailboxes.reset_pin("1001", "902817", actor="the other one")
            for _ in range(6):
                phone_access.log_in("1001", "0000", "192.0.2.1")
            assert phone_access.locked_until(mailboxes.get("1001")) is not None
        assert browser.client.post(self.URL, data=opened).status_code == 303

    def test_a_form_that_is_sent_twice_is_no_conflict(self, browser: Browser, opened: dict[str, str]) -> None:
        for _ in range(2):
            assert browser.client.post(self.URL, data=opened | {"aliases": "2001, 2002"}).status_code == 303

    def test_a_form_of_an_earlier_version(self, app: Flask, browser: Browser, opened: dict[str, str]) -> None:
        self.change(app, name="Theirs")
        old = {name: value for name, value in opened.items() if not name.startswith("seen_")}
        assert browser.client.post(self.URL, data=old).status_code == 303
        assert self.state(app)[0] == "Typed"

    @pytest.mark.parametrize("seen_id", ["x", "\ud83d", "é" * 5000, "00000000-0000-4000-8000-000000000000"])
    def test_an_id_that_nobody_has(self, browser: Browser, opened: dict[str, str], seen_id: str) -> None:
        sent = opened | {"seen_id": seen_id.encode("utf-8", "replace").decode()}
        assert browser.client.post(self.URL, data=sent).status_code == 409

    def refused(self, app: Flask, answer: TestResponse) -> None:
        """It says what became of the mailbox, and neither it nor the new one is another than before."""
        assert answer.status_code == 409
        assert f"{self.MOVED}, and 1001 is another mailbox. Nothing is done." in answer.text
        assert self.state(app) == ("New", "", "en")
        assert self.state(app, "1002") == ("Anna Example", "", "en")
        assert pin_is(app, "1001", "4711")

    @pytest.mark.parametrize("wrong", [{}, {"timezone": "Mars/Base"}])
    def test_the_new_mailbox_of_a_number_is_not_edited(
        self, app: Flask, browser: Browser, opened: dict[str, str], wrong: dict[str, str]
    ) -> None:
        self.moved(app)
        for _ in range(2):
            self.refused(app, browser.client.post(self.URL, data=opened | wrong))

    def test_with_htmx_it_is_told_and_the_form_stays(
        self, app: Flask, browser: Browser, opened: dict[str, str]
    ) -> None:
        self.moved(app)
        answer = browser.client.post(self.URL, data=opened, headers=HTMX)
        self.refused(app, answer)
        assert answer.headers["HX-Retarget"] == "#notices"

    def test_one_that_moved_and_left_no_other(self, app: Flask, browser: Browser, opened: dict[str, str]) -> None:
        self.change(app, "1002")
        answer = browser.client.post(self.URL, data=opened)
        assert answer.status_code == 409
        assert f"{self.MOVED}. Nothing is done. Open mailbox 1002" in answer.text
        assert self.state(app, "1002")[0] == "Anna Example"

    def test_one_that_was_deleted(self, app: Flask, browser: Browser, opened: dict[str, str]) -> None:
        with app.app_context():
            mailboxes.delete("1001", confirm="1001", actor="the other one")
        assert "1001 has been deleted. Nothing is done." in browser.client.post(self.URL, data=opened).text
        make(app, "1001", name="New")
        answer = browser.client.post(self.URL, data=opened)
        assert "1001 has been deleted, and 1001 is another mailbox. Nothing is done." in answer.text
        assert self.state(app)[0] == "New"

    @pytest.mark.parametrize(
        ("page", "typed"),
        [
            ("delete", {"confirm": "1001"}),
            ("reset-pin", {"pin": "902817"}),
            ("webhook", {"url": "https://example.com/hook"}),
            ("webhook", {"url": ""}),
        ],
    )
    def test_nothing_else_is_done_to_the_new_mailbox_of_a_number(
        self, app: Flask, browser: Browser, mailbox: str, page: str, typed: dict[str, str]
    ) -> None:
        url = f"{self.URL}/{page}"
        shown = form_of(browser.get(url), url).values
        self.change(app, "1002", name="Anna Example")
        make(app, "1001", name="New")
        self.refused(app, browser.client.post(url, data=shown | typed))
        with app.app_context():
            assert webhook_changes.state_of("1001") is None


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
