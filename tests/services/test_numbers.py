"""Numbers and mailboxes' own documents, on every kind of database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, select

from app.database import writing
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Audit, Call, Mailbox, Number
from app.models.base import new_id
from app.models.calls import CATCH_ALL
from app.services import mailbox_options, mailboxes, number_fields, numbers
from app.services.mailbox_options import Options
from app.services.numbers import Details
from tests.services.together import together
from tests.support import make_settings

URL = "https://example.com/voice"
GOOD = Details("5551234", voice_url=URL)


def create(number: str = "5551234", **details: str) -> Number:
    return numbers.create(replace(GOOD, number=number, **details), actor="test")


def refused(details: Details, extension: str = "") -> dict[str, str]:
    """The sentences of a number that is not taken."""
    with pytest.raises(Invalid) as caught:
        numbers.create(details, extension=extension, actor="test")
    return caught.value.fields


def shown(search: str = "") -> list[str]:
    return [line.extension or line.number.number or "" for line in numbers.page(search).items]


def test_a_number_from_its_making_to_its_end(any_app: Flask) -> None:
    row = create("+49 30 123-456", name=" Sales ", voice_method="get", fallback_url="http://example.org/x?a=b%20c")
    assert Details.of(row) == Details(
        "+4930123456", "Sales", "en", URL, "GET", "http://example.org/x?a=b%20c", "POST", "", "POST"
    )
    changed = replace(Details.of(row), number="*55", language="fr", status_callback=URL)
    assert Details.of(numbers.update(row.id, changed, actor="test")) == changed
    found = numbers.get(row.id)
    assert (found.number.number, found.extension) == ("*55", "")
    numbers.delete(row.id, actor="test")
    with pytest.raises(NotFound):
        numbers.get(row.id)
    done = [(line.action, line.object_id, line.detail) for line in db.session.scalars(select(Audit).order_by(Audit.id))]
    assert sorted(done) == [
        ("number.create", row.id, "+4930123456"),
        ("number.delete", row.id, "*55"),
        ("number.update", row.id, "*55"),
    ]


def test_a_number_that_is_not_there(any_app: Flask) -> None:
    for number_id in ("", "x", "\0", "é", new_id()):
        with pytest.raises(NotFound):
            numbers.get(number_id)
        with pytest.raises(NotFound):
            numbers.update(number_id, GOOD, actor="test")
        with pytest.raises(NotFound):
            numbers.delete(number_id, actor="test")


class TestNumbers:
    """What can be dialled."""

    def test_those_that_are_taken(self, any_app: Flask) -> None:
        for typed, kept in (
            ("5551234", "5551234"),
            (" +49 (30) 123-456 ", "+4930123456"),
            ("*55", "*55"),
            ("*55#", "*55#"),
            (CATCH_ALL, CATCH_ALL),
            ("Sales.Desk-2", "sales.desk-2"),
            ("666;phone-context=x", "666"),
            ("1" * 64, "1" * 64),
        ):
            assert create(typed).number == kept
            found = numbers.find(typed)
            assert found is not None
            assert found.number == kept

    def test_those_that_are_not(self, any_app: Flask) -> None:
        strange = (
            "1" * 65,
            "+",
            "++49",
            "49+30",
            "é",
            "²",
            "٣",
            "-",
            "a b",
            "a@b",
            "_x",
            "<b>",
            "1\n2x",
            "\ud800",
            "%2A",
        )
        for typed in strange:
            assert list(refused(replace(GOOD, number=typed))) == ["number"]
            assert numbers.find(typed) is None

    def test_an_empty_one_says_what_to_type(self, any_app: Flask) -> None:
        assert "Type what callers dial" in refused(replace(GOOD, number=" "))["number"]

    def test_one_number_is_there_once(self, any_app: Flask) -> None:
        for first, second in (("5551234", "555-1234"), ("+49301", "49301"), ("Sales", "SALES")):
            row = create(first)
            assert "is there already" in refused(replace(GOOD, number=second))["number"]
            # It is no rival of itself.
            numbers.update(row.id, replace(GOOD, number=second), actor="test")

    def test_what_owners_dial_is_not_taken(self, any_app: Flask) -> None:
        for number in ("*97", "*98"):
            assert "Owners dial" in refused(replace(GOOD, number=number))["number"]

    def test_that_of_a_mailbox_is_not_taken(self, any_app: Flask) -> None:
        mailboxes.create("1001", pin="4711", options=Options(aliases="2001"), actor="test")
        row = create("77")
        for number in ("1001", "+1001", "2001"):
            assert "leads to mailbox 1001" in refused(replace(GOOD, number=number))["number"]
            with pytest.raises(Invalid):
                numbers.update(row.id, replace(GOOD, number=number), actor="test")
        mailboxes.delete("1001", confirm="1001", actor="test")
        assert create("+1001").number == "+1001"

    @pytest.mark.parametrize("number", ["2001", "+2001"])
    def test_a_mailbox_does_not_take_it_either(self, box: Mailbox, number: str) -> None:
        create(number)
        with pytest.raises(Invalid) as caught:
            mailboxes.create("2001", pin="4711", actor="test")
        assert caught.value.fields == {
            "extension": f"The number {number} is a programmed one (Numbers); delete that first."
        }
        details = {"name": "", "email": "", "language": "en", "timezone": "UTC", "actor": "test"}
        with pytest.raises(Invalid) as caught:
            mailboxes.update("1001", **details, options=Options(aliases="2001"))  # type: ignore[arg-type]
        assert list(caught.value.fields) == ["aliases"]
        with pytest.raises(Invalid) as caught:
            mailboxes.update("1001", **details, new_extension="2001")  # type: ignore[arg-type]
        assert list(caught.value.fields) == ["extension"]

    def test_one_that_a_mailbox_gets_between_check_and_commit(self, app: Flask) -> None:
        """SQLite has one writer at a time: whoever waits to write has checked the number already."""
        waits, here = threading.Event(), threading.current_thread()

        def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if threading.current_thread() is not here and statement == "BEGIN IMMEDIATE":
                waits.set()

        def act() -> str:
            with app.app_context(), pytest.raises(Invalid) as caught:
                create("2001")
            return caught.value.fields["number"]

        with app.app_context(), ThreadPoolExecutor(1) as pool:
            mailboxes.create("1001", pin="4711", actor="test")
            event.listen(db.engine, "before_cursor_execute", before)
            with writing():
                box = mailboxes.get("1001", locked=True)
                answer = pool.submit(act)
                assert waits.wait(10)
                mailbox_options.set_numbers(box, ["2001"])
            assert "leads to mailbox 1001" in answer.result(20)

    def test_two_people_and_one_number(self, any_app: Flask) -> None:
        def act() -> str:
            try:
                return create().number or ""
            except Invalid as error:
                return " ".join(error.fields)

        assert sorted(together(any_app, act, act)) == ["5551234", "number"]


class TestAddresses:
    """Where documents come from."""

    def test_what_is_no_url_is_refused_with_a_sentence(self, any_app: Flask) -> None:
        wrong = [
            "no url",
            "example.com/voice",
            "ftp://example.com/",
            "http://",
            "http://a b/",
            "https://x/" + "y" * 2000,
        ]
        wrong += ["https://x/a b", "https://x/?q=a\tb", "http://x:99999/", "javascript:x", "\ud800"]
        for field in ("voice_url", "fallback_url", "status_callback"):
            for typed in wrong:
                problems = refused(replace(GOOD, **{field: typed}))
                assert list(problems) == [field]
                assert problems[field].endswith(".")

    def test_its_text_stays_as_it_is(self, any_app: Flask) -> None:
        """A signature goes over the very text of the address."""
        row = create()
        for typed in (
            "https://example.com",
            "HTTP://Example.COM:8080/A%20b?x=a+b&y=%26&x=%C3%BC",
            "http://[::1]:5000/",
            "https://ü.example/ü",
        ):
            changed = replace(GOOD, voice_url=f" {typed} ")
            assert numbers.update(row.id, changed, actor="test").voice_url == typed

    def test_all_problems_are_said_at_once(self, any_app: Flask) -> None:
        wrong = Details("", "x" * 81, "xx", "", "PUT", "x", "HEAD", "x", "\0")
        assert set(refused(wrong)) == set(Details.__dataclass_fields__)

    def test_a_private_address_is_kept_and_warned_of(self, any_app: Flask) -> None:
        row = create(
            voice_url="http://127.0.0.1:5000/", fallback_url="http://localhost/", status_callback="http://[::1]/"
        )
        said = numbers.warnings(row)
        assert [sentence.split()[0] for sentence in said] == ["127.0.0.1", "localhost", "::1"]
        assert all("programmable.allowed_networks" in sentence for sentence in said)
        assert numbers.warnings(create("1", voice_url="http://8.8.8.8/", fallback_url="http://example.com/")) == []
        allowed = {"VOICEMAIL__PROGRAMMABLE__ALLOWED_NETWORKS": "127.0.0.0/8,::1/128"}
        any_app.extensions["settings"] = make_settings(any_app.extensions["settings"].instance, **allowed)
        assert numbers.warnings(row) == []

    def test_switched_off_is_warned_of(self, any_app: Flask) -> None:
        row = create()
        off = {"VOICEMAIL__PROGRAMMABLE__ENABLED": "false"}
        any_app.extensions["settings"] = make_settings(any_app.extensions["settings"].instance, **off)
        (said,) = numbers.warnings(row)
        assert "switched off" in said


class TestMailboxes:
    """A mailbox's own document."""

    def test_its_life(self, box: Mailbox) -> None:
        row = numbers.create(Details(voice_url=URL), extension="1001", actor="test")
        assert (row.number, row.mailbox_id, row.language) == (None, box.id, "en")
        assert numbers.of_mailbox(box.id) is row
        assert numbers.get(row.id).extension == "1001"
        numbers.update(row.id, replace(Details.of(row), voice_method="GET"), actor="test")
        numbers.delete(row.id, actor="test")
        assert numbers.of_mailbox(box.id) is None
        details = [line.detail for line in db.session.scalars(select(Audit).where(Audit.action.like("number.%")))]
        assert details == ["mailbox 1001"] * 3

    def test_it_speaks_as_the_mailbox(self, any_app: Flask) -> None:
        mailboxes.create("1001", pin="4711", language="ja", actor="test")
        assert numbers.create(Details(voice_url=URL), extension="1001", actor="test").language == "ja"

    def test_there_is_one_without_a_number(self, box: Mailbox) -> None:
        assert list(refused(GOOD, "1001")) == ["number"]
        numbers.create(Details(voice_url=URL), extension="1001", actor="test")
        assert refused(Details(voice_url=URL), "1001") == {"mailbox": numbers.HAS_ONE}
        with pytest.raises(NotFound):
            numbers.create(Details(voice_url=URL), extension="9", actor="test")

    def test_it_goes_with_the_mailbox(self, box: Mailbox) -> None:
        numbers.create(Details(voice_url=URL), extension="1001", actor="test")
        mailboxes.delete("1001", confirm="1001", actor="test")
        assert db.session.query(Number).count() == 0
        mailboxes.create("1001", pin="4711", actor="test")
        assert numbers.of_mailbox(mailboxes.get("1001").id) is None


def test_calls_outlive_their_number(any_app: Flask) -> None:
    row = create()
    call = Call(sid="CA" + "0" * 32, number_id=row.id, direction="inbound", caller="1", called="2", status="completed")
    db.session.add(call)
    db.session.commit()
    numbers.delete(row.id, actor="test")
    db.session.expire_all()
    assert call.number_id is None


def test_the_list_and_its_search(box: Mailbox) -> None:
    create("5551234", name="Sales 100%")
    create("*55", voice_url="https://other.example/voice")
    numbers.create(Details(voice_url=URL), extension="1001", actor="test")
    assert shown() == ["*55", "5551234", "1001"]
    assert shown("555") == ["5551234"]
    assert shown("sales 100%") == ["5551234"]
    assert shown("OTHER.example") == ["*55"]
    assert shown("1001") == ["1001"]
    assert shown("_") == []
    assert [line.number.number for line in numbers.page(page=2, per_page=2).items] == [None]
    assert numbers.page(page=99, per_page=2).page == 2


def test_the_list_of_programs(any_app: Flask) -> None:
    made = [create(str(number)).number for number in range(5)]
    seen, cursor = [], None
    while True:
        lines, cursor = numbers.listing(cursor, 2)
        seen += [line.number.number for line in lines]
        if cursor is None:
            break
    assert seen == made[::-1]
    with pytest.raises(Invalid):
        numbers.listing("x")


def test_spellings() -> None:
    assert number_fields.alike("+49") == ("+49", "49")
    assert number_fields.alike("49") == ("49", "+49")
    assert number_fields.alike("*55") == ("*55",)
    assert number_fields.alike("sales") == ("sales",)
