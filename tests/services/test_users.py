"""People of the portal on every kind of database."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import update

from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import User
from app.models.base import new_id
from app.models.user import ADMIN, STAFF
from app.services import pins, users
from tests.services.together import together

PASSWORD = "correct horse battery"


@pytest.fixture
def anna(any_app: Flask) -> str:
    """The only administrator."""
    return users.create("anna", PASSWORD, ADMIN, actor="test").id


def add(name: str, role: str = STAFF) -> str:
    return users.create(name, PASSWORD, role, actor="test").id


def version(user_id: str) -> str:
    """What a session of this user holds."""
    db.session.expire_all()
    return users.get(user_id).get_id()


def test_name_and_password_let_in(anna: str) -> None:
    user = users.authenticate(" anna ", PASSWORD)
    assert user is not None
    assert (user.id, user.role) == (anna, ADMIN)
    assert user.last_login_at is not None
    for name, password in (("anna", PASSWORD + "x"), ("anna", ""), ("Anna", PASSWORD), ("bert", PASSWORD), ("", "")):
        assert users.authenticate(name, password) is None


def test_strange_names_are_unknown_ones(anna: str) -> None:
    for name in ("anna\0", "\ud800", "x" * 10_000, "anna' --", "<script>", "アンナ", "ａｎｎａ"):
        assert users.authenticate(name, PASSWORD) is None


def test_an_unknown_name_costs_the_same_work(anna: str, monkeypatch: pytest.MonkeyPatch) -> None:
    users.authenticate("nobody", PASSWORD)  # the decoy is made once
    verified: list[str] = []
    real = pins.verify

    def counting(hashed: str, secret: str) -> bool:
        verified.append(hashed.rpartition("$")[0].rpartition("$")[0])
        return real(hashed, secret)

    monkeypatch.setattr(pins, "verify", counting)
    for name in ("anna", "nobody", "no such name \0", "x" * 5000):
        assert users.authenticate(name, "wrong password") is None
    # One hash each, with the same parameters.
    assert len(verified) == 4
    assert len(set(verified)) == 1


def test_a_hash_of_old_parameters_is_made_anew(anna: str) -> None:
    from argon2 import PasswordHasher

    old = PasswordHasher(time_cost=2, memory_cost=8192, parallelism=2).hash(PASSWORD)
    db.session.execute(update(User).where(User.id == anna).values(password_hash=old))
    db.session.commit()
    before = version(anna)
    assert users.authenticate("anna", PASSWORD) is not None
    renewed = users.get(anna).password_hash
    assert renewed != old
    assert not pins.is_outdated(renewed)
    assert version(anna) == before
    assert users.authenticate("anna", PASSWORD) is not None


def test_what_is_wrong_is_said_of_its_field(anna: str) -> None:
    cases = [
        ("", PASSWORD, STAFF, "name", "1 to 64 letters"),
        ("a b", PASSWORD, STAFF, "name", "1 to 64 letters"),
        ("<script>", PASSWORD, STAFF, "name", "1 to 64 letters"),
        ("😀", PASSWORD, STAFF, "name", "1 to 64 letters"),
        ("x" * 65, PASSWORD, STAFF, "name", "1 to 64 letters"),
        ("anna", PASSWORD, STAFF, "name", "exists already"),
        ("bert", "short", STAFF, "password", "at least 10"),
        ("bert", "x" * 201, STAFF, "password", "at most 200"),
        ("bert", "x" * 20, STAFF, "password", "must not all be the same"),
        ("bertbertbert", "BertBertBert", STAFF, "password", "must not be the user name"),
        ("bert", PASSWORD, "root", "role", "admin or staff"),
    ]
    for name, password, role, field, words in cases:
        with pytest.raises(Invalid) as refused:
            users.create(name, password, role, actor="test")
        assert list(refused.value.fields) == [field]
        assert words in refused.value.fields[field]
    assert users.count() == 1


def test_one_of_two_who_take_a_name_at_once_is_told(any_app: Flask) -> None:
    results = together(any_app, *[lambda: add("bert")] * 3)
    refused = [result for result in results if isinstance(result, Invalid)]
    assert [error.fields for error in refused] == [{"name": users.TAKEN}] * 2
    assert [user.name for user in users.listing()] == ["bert"]


def test_the_last_administrator_stays(anna: str) -> None:
    bert = add("bert")
    acts: dict[str, Callable[[str], object]] = {
        "role": lambda user: users.set_role(user, STAFF, actor="test"),
        "active": lambda user: users.set_active(user, False, actor="test"),
        "name": lambda user: users.remove(user, actor="test"),
    }
    for field, act in acts.items():
        with pytest.raises(Invalid) as refused:
            act(anna)
        assert refused.value.fields == {field: users.LAST_ADMIN}
    users.set_role(bert, ADMIN, actor="test")
    users.set_active(bert, False, actor="test")
    # An administrator who may not log in is none.
    with pytest.raises(Invalid):
        users.remove(anna, actor="test")
    users.set_active(bert, True, actor="test")
    users.remove(anna, actor="test")
    assert [user.name for user in users.listing()] == ["bert"]
    with pytest.raises(Invalid):
        users.set_role(bert, STAFF, actor="test")


def test_two_administrators_cannot_remove_each_other_at_once(anna: str, any_app: Flask) -> None:
    bert = add("bert", ADMIN)
    results = together(
        any_app,
        lambda: users.remove(anna, actor="bert"),
        lambda: users.set_role(bert, STAFF, actor="anna"),
    )
    refused = [result for result in results if result is not None and not isinstance(result, User)]
    assert len(refused) == 1
    assert isinstance(refused[0], (Invalid, NotFound))
    assert [user for user in users.listing() if user.role == ADMIN and user.active]


def test_a_new_password_ends_all_sessions(anna: str) -> None:
    before = version(anna)
    users.set_password(anna, "another password", actor="bert")
    assert version(anna) != before
    assert users.authenticate("anna", PASSWORD) is None
    assert users.authenticate("anna", "another password") is not None


def test_the_own_password_needs_the_present_one(anna: str) -> None:
    before = version(anna)
    for current, password, field in (
        ("wrong", "another password", "current"),
        (PASSWORD, "short", "password"),
        (PASSWORD, "anna", "password"),
    ):
        with pytest.raises(Invalid) as refused:
            users.change_own_password(anna, current, password)
        assert list(refused.value.fields) == [field]
    assert version(anna) == before
    users.change_own_password(anna, PASSWORD, "another password")
    assert version(anna) != before
    assert users.authenticate("anna", "another password") is not None


def test_who_is_kept_out_loses_the_sessions(anna: str) -> None:
    bert = add("bert")
    before = version(bert)
    users.set_active(bert, False, actor="anna")
    assert version(bert) != before
    assert users.authenticate("bert", PASSWORD) is None
    out = version(bert)
    users.set_active(bert, False, actor="anna")
    assert version(bert) == out
    users.set_active(bert, True, actor="anna")
    assert version(bert) not in (before, out)
    assert users.authenticate("bert", PASSWORD) is not None


def test_an_unknown_user_is_not_found(anna: str) -> None:
    for user_id in (new_id(), "", "\0", "x" * 5000, anna.upper()):
        for act in (
            lambda: users.get(user_id),  # noqa: B023 - called at once
            lambda: users.set_password(user_id, PASSWORD, actor="test"),  # noqa: B023
            lambda: users.remove(user_id, actor="test"),  # noqa: B023
        ):
            with pytest.raises(NotFound):
                act()
