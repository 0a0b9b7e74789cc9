"""Bearer tokens on every kind of database."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Mailbox, Token
from app.models.base import new_id
from app.services import mailboxes, tokens
from tests.services.together import together


def test_a_token_is_for_all_mailboxes_or_for_one(box: Mailbox) -> None:
    everything = tokens.authenticate(tokens.create("all", actor="test"))
    one = tokens.authenticate(tokens.create("one", extension="1001", actor="test"))
    assert everything is not None
    assert one is not None
    assert (everything.mailbox_id, one.mailbox_id) == (None, box.id)
    assert [(token.name, extension) for token, extension in tokens.listing()] == [("all", ""), ("one", "1001")]


def test_only_a_hash_is_kept(any_app: Flask) -> None:
    raw = tokens.create("program", actor="test")
    row = db.session.execute(select(Token.__table__)).one()
    assert raw not in str(row)
    assert len(raw) > 40


def test_what_was_not_made_opens_nothing(any_app: Flask) -> None:
    raw = tokens.create("program", actor="test")
    for wrong in (
        "",
        "vm_",
        raw[:-1],
        raw + "x",
        raw.upper(),
        f" {raw}",
        raw + "\0",
        "vm_\ud800",
        "vm_é",
        "x" * 10_000,
    ):
        assert tokens.authenticate(wrong) is None


def test_the_token_of_a_deleted_mailbox_is_dead(box: Mailbox) -> None:
    raw = tokens.create("one", extension="1001", actor="test")
    mailboxes.delete("1001", confirm="1001", actor="test")
    assert tokens.authenticate(raw) is None
    # Nor does it open the next mailbox of that number.
    mailboxes.create("1001", pin="4711", actor="test")
    assert tokens.authenticate(raw) is None


def test_a_token_follows_its_mailbox_to_another_extension(box: Mailbox) -> None:
    raw = tokens.create("one", extension="1001", actor="test")
    mailboxes.update("1001", name="", email="", language="en", timezone="UTC", new_extension="7", actor="test")
    token = tokens.authenticate(raw)
    assert token is not None
    assert token.mailbox_id == box.id


def test_a_revoked_token_ends_at_once(any_app: Flask) -> None:
    raw = tokens.create("program", actor="test")
    token = tokens.authenticate(raw)
    assert token is not None
    tokens.revoke(token.id, actor="test")
    assert tokens.authenticate(raw) is None
    for token_id in (token.id, new_id(), "", "\0"):
        with pytest.raises(NotFound):
            tokens.revoke(token_id, actor="test")


def test_what_is_wrong_is_said_of_its_field(box: Mailbox) -> None:
    tokens.create("program", actor="test")
    for name, extension, field, words in (
        ("", None, "name", "needs a name"),
        ("x" * 65, None, "name", "at most 64"),
        ("x" * 10_000, None, "name", "at most 100"),
        ("a\nb", None, "name", "one line"),
        ("program", None, "name", "exists already"),
        ("other", "9", "extension", "no mailbox 9"),
        ("other", "12a", "extension", "1 to 20 digits"),
        ("other", "", "extension", "1 to 20 digits"),
    ):
        with pytest.raises(Invalid) as refused:
            tokens.create(name, extension=extension, actor="test")
        assert list(refused.value.fields) == [field]
        assert words in refused.value.fields[field]
    assert len(tokens.listing()) == 1


def test_one_of_two_who_take_a_name_at_once_is_told(any_app: Flask) -> None:
    results = together(any_app, *[lambda: tokens.create("program", actor="test")] * 3)
    assert sum(isinstance(result, Invalid) for result in results) == 2
    (raw,) = [result for result in results if isinstance(result, str)]
    assert tokens.authenticate(raw) is not None


def test_when_it_was_used_is_noted_now_and_then(any_app: Flask) -> None:
    raw = tokens.create("program", actor="test")
    assert tokens.listing()[0][0].last_used_at is None
    tokens.authenticate(raw)
    db.session.expire_all()
    first = tokens.listing()[0][0].last_used_at
    assert first is not None
    tokens.authenticate(raw)
    db.session.expire_all()
    assert tokens.listing()[0][0].last_used_at == first
