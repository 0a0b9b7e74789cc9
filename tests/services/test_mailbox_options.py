"""What a mailbox does on the phone, and the numbers that lead to it, as people type them."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.errors import Invalid
from app.extensions import db
from app.models import Alias, Mailbox
from app.services import mailboxes, subscriptions
from app.services.mailbox_options import Options
from tests.services.together import together

DETAILS = {"name": "", "email": "", "language": "en", "timezone": "UTC"}


def change(extension: str = "1001", new_extension: str | None = None, **options: Any) -> Mailbox:
    return mailboxes.update(extension, **DETAILS, new_extension=new_extension, options=Options(**options), actor="test")


def numbers() -> dict[str, str]:
    """Extension of the mailbox that each number leads to."""
    query = select(Alias.number, Mailbox.extension).join(Mailbox, Mailbox.id == Alias.mailbox_id)
    return dict(row._tuple() for row in db.session.execute(query))


def found(*wanted: str) -> str | None:
    box = mailboxes.find(wanted)
    return box.extension if box else None


def test_what_is_left_empty_is_for_the_settings_to_say(box: Mailbox) -> None:
    assert Options.of(box) == Options()
    change(operator="100", review=True, max_messages="10")
    made = change()
    assert (made.operator, made.review, made.max_messages, made.max_seconds) == (None, None, None, None)


def test_what_is_typed_is_shown_again(box: Mailbox) -> None:
    options = Options(
        aliases="2001 2002",
        operator="+493012345",
        announcement_only=True,
        trusts_own_phone=True,
        speaks_envelope=False,
        review=True,
        max_messages="100",
        max_seconds="3600",
        max_duration="90",
        silence_timeout="2.5",
        min_speech="0",
        new_days="30",
        saved_days="0",
        trash_days="36500",
        mail_attachment="mp3",
    )
    mailboxes.update("1001", **DETAILS, options=options, actor="test")
    assert Options.of(mailboxes.get("1001")) == options


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("operator", "anna@example.com"),
        ("operator", "1" * 40),
        ("operator", "++49"),
        ("max_messages", "0"),
        ("max_messages", "-1"),
        ("max_messages", "ten"),
        ("max_messages", "1.5"),
        ("max_messages", "9" * 20),
        ("max_seconds", "0"),
        ("max_duration", "0"),
        ("max_duration", "nan"),
        ("max_duration", "1e3"),
        ("silence_timeout", "0.1"),
        ("silence_timeout", "61"),
        ("min_speech", "\u0661"),
        ("new_days", "-1"),
        ("saved_days", "1.5"),
        ("trash_days", "36501"),
        ("trash_days", "never"),
        ("aliases", "2001, anna"),
        ("aliases", "1" * 21),
        ("aliases", " ".join(str(number) for number in range(21))),
    ],
)
def test_what_makes_no_sense_is_said_at_its_field(box: Mailbox, field: str, typed: str) -> None:
    with pytest.raises(Invalid) as refused:
        change(**{field: typed})
    assert list(refused.value.fields) == [field]
    assert Options.of(mailboxes.get("1001")) == Options()


def test_numbers_are_tidied(box: Mailbox) -> None:
    made = change(operator=" 030 / 123-45 ", aliases="2002, 2001;2002\n1001", silence_timeout="2,5")
    assert (made.operator, made.silence_timeout) == ("03012345", 2.5)
    assert numbers() == {"1001": "1001", "2001": "1001", "2002": "1001"}


def test_aliases_lead_to_the_mailbox(box: Mailbox) -> None:
    change(aliases="2001")
    mailboxes.create("1002", pin="4711", actor="test")
    assert found("9999", "2001", "1002") == "1001"
    assert found("1002", "2001") == "1002"
    assert found("9999") is None
    assert found() is None
    counted = subscriptions.find(["2001"])
    assert counted is not None
    assert counted.extension == "1001"
    # Those who change nothing of it leave it as it is.
    mailboxes.update("1001", **DETAILS, actor="test")
    assert found("2001") == "1001"
    change(aliases="2002")
    assert (found("2001"), found("2002")) == (None, "1001")


def test_a_number_leads_to_one_mailbox(box: Mailbox) -> None:
    change(aliases="2001")
    mailboxes.create("1002", pin="4711", actor="test")
    for aliases in ("2001", "1001"):
        with pytest.raises(Invalid, match="leads to mailbox 1001") as refused:
            change("1002", aliases=aliases)
        assert list(refused.value.fields) == ["aliases"]
    with pytest.raises(Invalid) as refused:
        mailboxes.create("2001", pin="4711", actor="test")
    assert list(refused.value.fields) == ["extension"]
    with pytest.raises(Invalid) as refused:
        change("1002", new_extension="2001")
    assert list(refused.value.fields) == ["extension"]
    assert numbers() == {"1001": "1001", "1002": "1002", "2001": "1001"}


def test_an_extension_and_an_alias_change_places(box: Mailbox) -> None:
    change(aliases="2001")
    change(new_extension="2001", aliases="1001")
    assert numbers() == {"1001": "2001", "2001": "2001"}
    assert found("1001") == "2001"


def test_the_numbers_of_a_deleted_mailbox_are_free(box: Mailbox) -> None:
    change(aliases="2001")
    mailboxes.delete("1001", confirm="1001", actor="test")
    assert numbers() == {}
    assert mailboxes.create("2001", pin="4711", options=Options(aliases="1001"), actor="test").extension == "2001"


def test_two_who_want_one_number_at_once(any_app: Flask, box: Mailbox) -> None:
    mailboxes.create("1002", pin="4711", actor="test")
    acts = [lambda each=each: change(each, aliases="2001") for each in ("1001", "1002")]
    acts.append(lambda: mailboxes.create("2001", pin="4711", actor="test"))
    results = together(any_app, *acts)
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 2
    assert all(isinstance(error, Invalid) for error in refused)
    assert sorted(numbers()) == ["1001", "1002", "2001"]
