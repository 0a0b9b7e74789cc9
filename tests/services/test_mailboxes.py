"""Mailboxes on every kind of database: made, changed, found, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select

from app.errors import Changed, Invalid, NotFound, Replaced
from app.extensions import db
from app.models import Audit, Mailbox, Message
from app.services import mailboxes, messages, pins
from app.services.seen import Seen
from tests.services.takes import saved, take
from tests.services.together import together

SCRIPT = "<script>alert('1001')</script>"
DETAILS = {"name": "Anna", "email": "", "language": "en", "timezone": "UTC"}


def make(extension: str, **details: Any) -> Mailbox:
    return mailboxes.create(extension, **({"pin": "4711", "actor": "test"} | details))


def found(search: str) -> list[str]:
    return [row.mailbox.extension for row in mailboxes.page(search).items]


def test_a_mailbox_is_what_was_asked_for(any_app: Flask) -> None:
    make("0049", name="  Ānna 👩‍🚀 ", email="anna@example.com", language="ja", timezone="Asia/Tokyo")
    db.session.expire_all()
    box = mailboxes.get("0049")
    assert (box.name, box.email, box.language, box.timezone) == (
        "Ānna 👩‍🚀",
        "anna@example.com",
        "ja",
        "Asia/Tokyo",
    )
    assert pins.verify(box.pin_hash, "4711")
    assert not pins.verify(box.pin_hash, "4712")
    assert (box.created_at.tzinfo, box.deleted_at) == (box.updated_at.tzinfo, None)


def test_language_and_zone_are_those_of_the_settings_unless_given(any_app: Flask) -> None:
    box = make("1")
    assert (box.language, box.timezone) == ("en", "UTC")


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("extension", "", "1 to 20 digits"),
        ("extension", "12a", "1 to 20 digits"),
        ("extension", "1" * 21, "1 to 20 digits"),
        ("extension", "１００１", "1 to 20 digits"),
        ("extension", "10\n01", "1 to 20 digits"),
        ("extension", "-1", "1 to 20 digits"),
        ("name", "x" * 10_000, "at most 100 characters; this one has 10000"),
        ("name", "two\nlines", "one line"),
        ("name", "nul\0", "one line"),
        ("name", "half a surrogate \ud83d", "one line"),
        ("email", "anna", "not an e-mail address"),
        ("email", "anna@example.com\r\nBcc: all@example.com", "not an e-mail address"),
        ("email", "a@" + "b" * 300, "not an e-mail address"),
        ("email", "anna@example.com, bert, eve@example.com", "“bert” is not an e-mail address"),
        ("email", ",".join(f"{number}@{'b' * 60}.example" for number in range(20)), "at most 1000 characters"),
        ("language", "de", "one of en, zh, ja, es, fr"),
        ("timezone", "Mars/Olympus", "not a time zone"),
        ("timezone", "../../etc/passwd", "not a time zone"),
        ("pin", "1234", "count up or down"),
    ],
)
def test_what_is_wrong_is_said_of_its_field(app: Flask, field: str, value: str, word: str) -> None:
    details = {"extension": "1001"} | {field: value}
    with app.app_context():
        with pytest.raises(Invalid) as refused:
            make(**details)
        assert mailboxes.page().total == 0
    assert list(refused.value.fields) == [field]
    assert word in refused.value.fields[field]


def test_all_problems_are_told_at_once(any_app: Flask) -> None:
    with pytest.raises(Invalid) as refused:
        make("abc", pin="1", email="x", name="\n" * 3 + "a\nb", language="xx", timezone="xx")
    assert set(refused.value.fields) == {"extension", "pin", "email", "name", "language", "timezone"}


def test_a_name_is_kept_as_it_was_typed(any_app: Flask) -> None:
    names = [SCRIPT, "👩‍👩‍👧‍👦🇩🇪", "O'Brien; DROP TABLE voicemail_box; --", "مرحبا", "x" * 100, "😀" * 100]
    for number, name in enumerate(names):
        make(str(number), name=name)
    db.session.expire_all()
    assert [mailboxes.get(str(number)).name for number in range(len(names))] == names


def test_an_extension_is_given_once(box: Mailbox) -> None:
    with pytest.raises(Invalid) as refused:
        make("1001")
    assert refused.value.fields == {"extension": mailboxes.TAKEN}


def test_one_of_two_who_create_at_once_is_told(any_app: Flask) -> None:
    results = together(any_app, *[lambda: make("1001").id] * 4)
    refused = [result for result in results if isinstance(result, Invalid)]
    assert [error.fields for error in refused] == [{"extension": mailboxes.TAKEN}] * 3
    assert mailboxes.page().total == 1


def test_one_of_two_who_rename_at_once_is_told(any_app: Flask) -> None:
    make("1")
    make("2")
    results = together(
        any_app,
        lambda: mailboxes.update("1", **DETAILS, new_extension="3", actor="test").id,
        lambda: mailboxes.update("2", **DETAILS, new_extension="3", actor="test").id,
    )
    (refused,) = [result for result in results if isinstance(result, Exception)]
    assert isinstance(refused, Invalid)
    assert refused.fields == {"extension": mailboxes.TAKEN}
    assert sorted(found("")) in (["1", "3"], ["2", "3"])


def test_of_those_who_edit_at_once_one_is_told_what_the_other_did(box: Mailbox, any_app: Flask) -> None:
    seen = Seen(box.id, mailboxes.version(box))
    details = {name: value for name, value in DETAILS.items() if name != "name"}
    results = together(
        any_app,
        *[
            lambda name=name: mailboxes.update("1001", name=name, **details, seen=seen, actor="test").name
            for name in "abc"
        ],
    )
    assert [type(result) for result in results if not isinstance(result, str)] == [Changed] * 2
    assert [mailboxes.get("1001").name] == [result for result in results if isinstance(result, str)]


def test_what_is_meant_for_a_mailbox_is_not_done_to_another_of_its_extension(box: Mailbox) -> None:
    seen = Seen(box.id)
    mailboxes.update("1001", **DETAILS, new_extension="1002", actor="test")
    make("1001", name="New")
    for act in (
        lambda: mailboxes.update("1001", **DETAILS, seen=seen, actor="test"),
        lambda: mailboxes.reset_pin("1001", "8520", seen=seen, actor="test"),
        lambda: mailboxes.delete("1001", confirm="1001", seen=seen, actor="test"),
    ):
        with pytest.raises(Replaced):
            act()
    new = mailboxes.get("1001")
    assert (new.name, pins.verify(new.pin_hash, "4711")) == ("New", True)


def test_an_unknown_extension_is_not_found(box: Mailbox) -> None:
    for extension in ("9", "", "1001 ", "１００１", "1001\0", "\ud800", "1" * 5000, "%", "' OR 1=1 --"):
        with pytest.raises(NotFound):
            mailboxes.get(extension)


def test_update_changes_what_was_given(box: Mailbox) -> None:
    mailboxes.update("1001", name=SCRIPT, email="b@example.com", language="fr", timezone="Europe/Paris", actor="anna")
    db.session.expire_all()
    changed = mailboxes.get("1001")
    assert (changed.name, changed.email, changed.language, changed.timezone) == (
        SCRIPT,
        "b@example.com",
        "fr",
        "Europe/Paris",
    )
    assert pins.verify(changed.pin_hash, "4711")


def test_messages_follow_the_mailbox_to_its_new_extension(box: Mailbox) -> None:
    message_id = saved("1001")
    mailboxes.update("1001", **DETAILS, new_extension="2002", actor="test")
    with pytest.raises(NotFound):
        mailboxes.get("1001")
    assert [message.id for message in messages.listing("2002")[0]] == [message_id]
    make("1001")
    assert messages.listing("1001")[0] == []


def test_an_update_says_what_is_wrong_and_changes_nothing(box: Mailbox) -> None:
    make("2")
    with pytest.raises(Invalid) as refused:
        mailboxes.update("1001", **(DETAILS | {"email": "x"}), new_extension="a", actor="test")
    assert set(refused.value.fields) == {"extension", "email"}
    with pytest.raises(Invalid) as refused:
        mailboxes.update("1001", **DETAILS, new_extension="2", actor="test")
    assert refused.value.fields == {"extension": mailboxes.TAKEN}
    with pytest.raises(NotFound):
        mailboxes.update("3", **DETAILS, actor="test")
    assert mailboxes.get("1001").name == "Anna Example"


def test_a_new_pin_replaces_the_old_one(box: Mailbox) -> None:
    mailboxes.reset_pin("1001", "8520", actor="test")
    hashed = mailboxes.get("1001").pin_hash
    assert pins.verify(hashed, "8520")
    assert not pins.verify(hashed, "4711")
    with pytest.raises(Invalid) as refused:
        mailboxes.reset_pin("1001", "1001", actor="test")
    assert "extension" in refused.value.fields["pin"]


def test_a_delete_wants_the_extension(box: Mailbox) -> None:
    for confirm in ("", "1002", "yes"):
        with pytest.raises(Invalid) as refused:
            mailboxes.delete("1001", confirm=confirm, actor="test")
        assert refused.value.fields == {"confirm": "Type 1001 to delete this mailbox."}
    mailboxes.delete("1001", confirm=" 1001 ", actor="test")
    with pytest.raises(NotFound):
        mailboxes.get("1001")
    with pytest.raises(NotFound):
        mailboxes.delete("1001", confirm="1001", actor="test")


def test_of_those_who_delete_at_once_one_does(box: Mailbox, any_app: Flask) -> None:
    results = together(any_app, *[lambda: mailboxes.delete("1001", confirm="1001", actor="test")] * 3)
    assert [type(result) for result in results if result is not None] == [NotFound] * 2
    deletions = select(func.count()).select_from(Audit).where(Audit.action == "mailbox.delete")
    assert db.session.scalar(deletions) == 1


def test_a_change_at_the_moment_of_a_delete_does_not_bring_the_mailbox_back(box: Mailbox, any_app: Flask) -> None:
    box_id = box.id
    renamed, *others, deleted = together(
        any_app,
        lambda: mailboxes.update("1001", **DETAILS, new_extension="2002", actor="test").id,
        lambda: mailboxes.reset_pin("1001", "8520", actor="test"),
        lambda: messages.save_take(take("1001", mailbox_id=box_id)).id,
        lambda: mailboxes.delete("1001", confirm="1001", actor="test"),
    )
    assert not isinstance(others[-1], Exception)
    # The one who came second is told that there is no mailbox 1001 any more.
    assert [isinstance(result, NotFound) for result in (renamed, deleted)].count(True) == 1
    db.session.rollback()
    after = db.session.get(Mailbox, box_id)
    assert after is not None
    assert (after.live_extension, after.deleted_at is None) in ((None, False), ("2002", True))


def test_a_deleted_mailbox_takes_the_message_of_a_call_in_progress(box: Mailbox, any_app: Flask) -> None:
    mine = take("1001")
    _, saved_one = together(
        any_app,
        lambda: mailboxes.delete("1001", confirm="1001", actor="test"),
        lambda: messages.save_take(mine).id,
    )
    assert saved_one == mine.id
    assert db.session.get(Message, mine.id) is not None


def test_a_number_that_is_used_again_has_none_of_the_old_messages(box: Mailbox) -> None:
    old_ids = [saved("1001"), saved("1001", discarded=True)]
    mailboxes.delete("1001", confirm="1001", actor="test")
    new = make("1001", name="Bert")
    assert new.id != box.id
    for view in messages.VIEWS:
        assert messages.listing("1001", view=view) == ([], None)
    assert set(messages.counts("1001").values()) == {0}
    assert mailboxes.counts_of(new).last_message_at is None
    for message_id in old_ids:
        with pytest.raises(NotFound):
            messages.get(message_id)
        with pytest.raises(NotFound):
            messages.trash(message_id, actor="test")


def test_search_takes_text_as_text(any_app: Flask) -> None:
    make("1001", name="50% off", email="a_b@example.com")
    make("1002", name="Änne Müller")
    make("1003", name="back\\slash / slash")
    make("2004", name="張偉")
    assert found("%") == ["1001"]
    assert found("_") == ["1001"]
    assert found("\\") == ["1003"]
    assert found("/") == ["1003"]
    assert found("änne") == found("ÄNNE") == found("Änne") == ["1002"]
    assert found("A\u0308nne") == ["1002"]
    assert found("MÜLL") == ["1002"]
    assert found("偉") == ["2004"]
    assert found("EXAMPLE.com") == ["1001"]
    assert found("100") == ["1001", "1002", "1003"]
    assert found("  1002  ") == ["1002"]


def test_a_strange_search_harms_nothing(box: Mailbox) -> None:
    for search in ("\0", "x\0y", "\ud800", "x" * 10_000, "'", '"', "a' OR 'a'='a"):
        assert found(search) in ([], ["1001"])
    assert mailboxes.get("1001").name == "Anna Example"


def test_pages_count_as_people_do(any_app: Flask) -> None:
    for number in (10, 9, 100, 1, 11):
        make(str(number))
    first, last = mailboxes.page(per_page=2), mailboxes.page(page=99, per_page=2)
    assert [row.mailbox.extension for row in first.items] == ["1", "9"]
    assert (first.page, first.pages, first.total) == (1, 3, 5)
    assert [row.mailbox.extension for row in last.items] == ["100"]
    assert last.page == 3
    assert mailboxes.page(page=-5, per_page=0).page == 1
    assert mailboxes.page("nothing").pages == 1


def test_a_row_tells_what_is_in_the_mailbox(box: Mailbox) -> None:
    first, second, third, fourth = (saved("1001") for _ in range(4))
    saved("1001", discarded=True)
    messages.mark(second, "saved", actor="test")
    messages.trash(third, actor="test")
    (row,) = mailboxes.page().items
    assert (row.new_count, row.saved_count, row.has_greeting) == (2, 1, False)
    assert row.last_message_at == messages.get(fourth).received_at
    assert row == mailboxes.counts_of(mailboxes.get("1001"))
    assert first


def test_a_long_list_costs_no_more_questions_than_a_short_one(any_app: Flask) -> None:
    asked: list[str] = []

    def ask(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", ask)
    try:
        costs = []
        for extension in ("1", "2", "3", "4"):
            make(extension)
            db.session.expunge_all()
            asked.clear()
            mailboxes.page()
            costs.append(len(asked))
    finally:
        event.remove(db.engine, "before_cursor_execute", ask)
    assert len(set(costs)) == 1, costs


def test_each_act_is_recorded_without_secrets(box: Mailbox) -> None:
    mailboxes.reset_pin("1001", "8520", actor="anna")
    mailboxes.update("1001", **DETAILS, actor="anna")
    mailboxes.delete("1001", confirm="1001", actor="anna")
    lines = list(db.session.scalars(select(Audit).order_by(Audit.id)))
    assert [line.action for line in lines] == [
        "mailbox.create",
        "mailbox.reset_pin",
        "mailbox.update",
        "mailbox.delete",
    ]
    assert [line.actor for line in lines] == ["test", "anna", "anna", "anna"]
    assert not any(secret in f"{line.detail}{line.object_id}" for line in lines for secret in ("8520", "argon2"))
