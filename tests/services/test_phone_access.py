"""Telephone access to a mailbox: who is let in, what locks it, and how a PIN is changed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.database import writing
from app.extensions import db
from app.models import Audit, Event, Mailbox
from app.services import events, mailboxes, phone_access, pins
from app.services.mailbox_options import Options
from tests.services.together import together

RIGHT, WRONG = "4711", "9999"
SOURCE = "1001 192.0.2.7"
# Of one process: it has 15 connections.
PHONES = 12


def log_in(pin: str, number: str = "1001") -> bool:
    return phone_access.log_in(number, pin, SOURCE) is not None


def told() -> list[str]:
    """Names of all events, oldest first."""
    return list(db.session.scalars(select(Event.event).order_by(Event.number)))


def pass_time(box: Mailbox, minutes: float) -> None:
    """Let so much time pass since all that was noted of the mailbox's wrong PINs."""
    span = timedelta(minutes=minutes)
    with writing():
        found = db.session.get_one(Mailbox, box.id)
        times = [when - span for when in phone_access._failures(found)]
        found.phone_failures = json.dumps([when.isoformat() for when in times]) if times else None
        found.phone_locked_until = found.phone_locked_until and found.phone_locked_until - span


def lock(times: int = phone_access.FAILURES) -> None:
    for _ in range(times):
        assert not log_in(WRONG)


def locked_for(box: Mailbox) -> float:
    """Minutes that the lock still lasts, to the next full one."""
    until = phone_access.locked_until(db.session.get_one(Mailbox, box.id, populate_existing=True))
    return 0 if until is None else round((until - phone_access._now()) / timedelta(minutes=1))


def test_the_right_pin_opens_by_extension_and_by_alias(box: Mailbox) -> None:
    details = {"name": "", "email": "", "language": "en", "timezone": "UTC"}
    mailboxes.update("1001", **details, options=Options(aliases="2001"), actor="test")
    for number in ("1001", "2001"):
        found = phone_access.log_in(number, RIGHT, SOURCE)
        assert found is not None
        assert found.id == box.id
    assert told() == []


@pytest.mark.parametrize("pin", [WRONG, "", "4" * 40, "####", "4711#", "47110", "\0", "é"])
def test_nothing_else_does(box: Mailbox, pin: str) -> None:
    assert not log_in(pin)


@pytest.mark.parametrize("number", ["9999", "", "####", "1" * 40, "\0", "' OR 1=1 --"])
def test_a_number_that_nobody_has_is_refused_like_a_wrong_pin(box: Mailbox, number: str) -> None:
    assert not log_in(RIGHT, number)
    assert db.session.scalar(select(Audit.action).order_by(Audit.id.desc())) == "phone.refused"


def test_five_wrong_pins_lock_and_the_right_one_is_refused_like_a_wrong_one(box: Mailbox) -> None:
    lock(4)
    assert log_in(RIGHT)
    lock(1)
    assert not log_in(RIGHT)
    assert locked_for(box) == 15
    assert told() == [events.MAILBOX_LOCKED]
    pass_time(box, 15)
    assert locked_for(box) == 0
    assert log_in(RIGHT)


def test_wrong_pins_of_long_ago_do_not_count(box: Mailbox) -> None:
    lock(4)
    pass_time(box, 15.1)
    lock(4)
    assert log_in(RIGHT)


def test_attempts_during_a_lock_do_not_lengthen_it(box: Mailbox) -> None:
    lock()
    lock()
    assert locked_for(box) == 15
    assert told() == [events.MAILBOX_LOCKED]


def test_each_lock_lasts_twice_as_long_up_to_a_day(box: Mailbox) -> None:
    lasted = []
    for _ in range(9):
        lock()
        lasted.append(locked_for(box))
        pass_time(box, lasted[-1])
    assert lasted == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]
    pass_time(box, 24 * 60)
    lock()
    assert locked_for(box) == 15


def test_a_log_in_ends_the_doubling(box: Mailbox) -> None:
    lock()
    pass_time(box, 15)
    assert log_in(RIGHT)
    lock()
    assert locked_for(box) == 15


def test_staff_unlock(box: Mailbox) -> None:
    lock()
    phone_access.unlock("1001", actor="anna")
    assert log_in(RIGHT)
    assert told() == [events.MAILBOX_LOCKED, events.MAILBOX_UNLOCKED]
    assert "anna" in db.session.scalars(select(Audit.actor)).all()
    phone_access.unlock("1001", actor="anna")
    assert told() == [events.MAILBOX_LOCKED, events.MAILBOX_UNLOCKED]


def test_nothing_that_is_written_down_tells_a_pin(box: Mailbox) -> None:
    lock()
    log_in(RIGHT)
    written = [*db.session.scalars(select(Audit.detail)), *db.session.scalars(select(Event.data))]
    assert not [text for text in written if WRONG in text or RIGHT in text]


def test_phones_that_guess_at_once_get_five_guesses(any_app: Flask, box: Mailbox) -> None:
    assert together(any_app, *[lambda: log_in(WRONG)] * PHONES) == [False] * PHONES
    assert told() == [events.MAILBOX_LOCKED]
    assert db.session.scalars(select(Audit.action).where(Audit.action == "mailbox.lock")).all() == ["mailbox.lock"]
    assert not log_in(RIGHT)


def test_phones_of_the_owner_log_in_at_once(any_app: Flask, box: Mailbox) -> None:
    assert together(any_app, *[lambda: log_in(RIGHT)] * PHONES) == [True] * PHONES


def test_a_refusal_costs_a_hash_whatever_its_reason(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    pins.decoy()
    computed: list[str] = []
    verify, hash_secret = pins.verify, pins.hash_secret
    monkeypatch.setattr(pins, "verify", lambda hashed, pin: computed.append(pin) or verify(hashed, pin))
    monkeypatch.setattr(pins, "hash_secret", lambda pin: computed.append(pin) or hash_secret(pin))
    # What a right PIN would be hashed anew for.
    monkeypatch.setattr(pins, "is_outdated", lambda hashed: True)
    for number, pin in (("1001", WRONG), ("9999", WRONG), ("nobody", WRONG)):
        assert not log_in(pin, number)
        assert len(computed) == 1
        computed.clear()
    lock(4)
    computed.clear()
    assert not log_in(RIGHT)
    assert computed == [RIGHT]


def test_a_mailbox_that_trusts_its_own_phone(box: Mailbox) -> None:
    assert phone_access.open_own("1001") is None
    details = {"name": "", "email": "", "language": "en", "timezone": "UTC"}
    mailboxes.update("1001", **details, options=Options(trusts_own_phone=True, aliases="2001"), actor="test")
    assert phone_access.open_own("1001") is not None
    # A caller's number that is an alias is not the mailbox's own phone.
    assert phone_access.open_own("2001") is None
    assert phone_access.open_own("9999") is None


def change(box: Mailbox, old: str, new: str) -> str:
    return phone_access.change_pin(box.id, old, new, SOURCE).value


def test_an_owner_changes_the_pin(box: Mailbox) -> None:
    assert change(box, RIGHT, "582914") == "done"
    assert log_in("582914")
    assert not log_in(RIGHT)
    assert told() == [events.PIN_CHANGED]


@pytest.mark.parametrize(
    ("new", "rule"),
    [
        ("12", "too short"),
        ("123456789", "too long"),
        ("7777", "all the same"),
        ("3456", "in a row"),
        ("1001", "is extension"),
        ("", "digits"),
        ("47a1", "digits"),
    ],
)
def test_the_first_rule_that_a_new_pin_breaks_is_told(box: Mailbox, new: str, rule: str) -> None:
    assert change(box, RIGHT, new) == rule
    assert log_in(RIGHT)
    assert told() == []


def test_a_wrong_old_pin_counts_like_a_wrong_log_in(box: Mailbox) -> None:
    for _ in range(phone_access.FAILURES):
        assert change(box, WRONG, "582914") == "wrong"
    assert change(box, RIGHT, "582914") == "wrong"
    assert not log_in(RIGHT)
    assert told() == [events.MAILBOX_LOCKED]


def test_a_pin_is_checked_before_a_new_one_is_chosen(box: Mailbox) -> None:
    assert phone_access.pin_is(box.id, RIGHT, SOURCE) is True
    assert phone_access.pin_is("nobody", RIGHT, SOURCE) is None
    for _ in range(phone_access.FAILURES):
        assert phone_access.pin_is(box.id, WRONG, SOURCE) is False
    assert phone_access.pin_is(box.id, RIGHT, SOURCE) is False
    assert not log_in(RIGHT)
    assert told() == [events.MAILBOX_LOCKED]


def test_a_pin_that_the_portal_changes_in_that_moment_stays(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    hash_secret = pins.hash_secret

    def meanwhile(secret: str) -> str:
        monkeypatch.setattr(pins, "hash_secret", hash_secret)
        mailboxes.reset_pin("1001", "773311", actor="staff")
        return hash_secret(secret)

    monkeypatch.setattr(pins, "hash_secret", meanwhile)
    assert change(box, RIGHT, "582914") == "wrong"
    assert log_in("773311")


@pytest.fixture
def changed_while_compared(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The portal gives the mailbox another PIN, 773311, while a caller's is compared with the old one."""
    verify = pins.verify

    def meanwhile(hashed: str, pin: str) -> bool:
        monkeypatch.setattr(pins, "verify", verify)
        mailboxes.reset_pin("1001", "773311", actor="staff")
        return verify(hashed, pin)

    monkeypatch.setattr(pins, "verify", meanwhile)


@pytest.mark.usefixtures("changed_while_compared")
@pytest.mark.parametrize(("pin", "admitted"), [(RIGHT, False), ("773311", True)])
def test_a_pin_that_is_changed_while_it_is_compared(pin: str, admitted: bool) -> None:
    assert log_in(pin) is admitted


def test_a_mailbox_that_is_deleted(box: Mailbox) -> None:
    mailboxes.delete("1001", confirm="1001", actor="test")
    assert not log_in(RIGHT)
    assert change(box, RIGHT, "582914") == "gone"


def test_a_lock_is_no_change_of_the_snapshot(box: Mailbox) -> None:
    before = db.session.scalar(select(Mailbox.updated_at).where(Mailbox.id == box.id))
    lock()
    log_in(RIGHT)
    assert db.session.scalar(select(Mailbox.updated_at).where(Mailbox.id == box.id)) == before


def test_a_hash_of_older_parameters_is_made_anew(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    old = box.pin_hash
    with writing():
        db.session.execute(update(Mailbox).values(phone_locks=3))
    monkeypatch.setattr(pins, "is_outdated", lambda hashed: hashed == old)
    assert log_in(RIGHT)
    db.session.expire_all()
    assert box.pin_hash != old
    assert log_in(RIGHT)
    assert box.phone_locks == 0
