"""An owner's messages by phone: the order of their play, what may be done with them, what is written down of it."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import insert, select

from app.database import writing
from app.extensions import db
from app.models import Event, Mailbox, Message
from app.services import events, mailboxes, messages, owner_messages, purge, quota
from app.services.mailbox_options import Options
from tests.services.takes import saved, take
from tests.services.together import together

EIGHT = datetime(2026, 11, 24, 8, tzinfo=UTC)
DETAILS = {"name": "", "email": "", "language": "en", "timezone": "UTC"}


def message(minute: int = 0, *, urgent: bool = False, state: str = "new", extension: str = "1001") -> str:
    """A message that came so many minutes after eight."""
    message_id = saved(extension, received_at=EIGHT + timedelta(minutes=minute), urgent=urgent)
    if state != "new":
        messages.mark(message_id, state, actor="test")
    return message_id


def told(box: Mailbox) -> list[str]:
    """Names of the mailbox's events without those of new messages."""
    query = select(Event.event).where(Event.mailbox_id == box.id, Event.event != events.MESSAGE_CREATED)
    return sorted(db.session.scalars(query))


def version(box: Mailbox) -> int:
    return db.session.scalar(select(Mailbox.mwi_version).where(Mailbox.id == box.id)) or 0


def test_urgent_ones_come_first_then_the_oldest(box: Mailbox) -> None:
    second, urgent, first = message(2), message(9, urgent=True), message(1)
    heard = message(0, state="saved")
    assert owner_messages.ids(box.id, "new") == [urgent, first, second]
    assert owner_messages.ids(box.id, "saved") == [heard]


def test_pages_follow_each_other_though_messages_are_heard_and_deleted(box: Mailbox) -> None:
    made = [message(minute, urgent=minute % 3 == 0) for minute in range(12)]
    whole = owner_messages.ids(box.id, "new")
    assert sorted(whole) == sorted(made)
    heard: list[str] = []
    while page := owner_messages.ids(box.id, "new", heard[-1] if heard else "", limit=5):
        heard += page
        owner_messages.save(box.id, page[0])
        owner_messages.delete(box.id, page[-1])
    assert heard == whole
    assert owner_messages.ids(box.id, "new", str(uuid.uuid4())) == []


def test_what_is_deleted_discarded_or_of_others_is_not_heard(box: Mailbox) -> None:
    mailboxes.create("1002", pin="4711", actor="test")
    message(extension="1002")
    owner_messages.delete(box.id, message())
    saved(discarded=True)
    assert owner_messages.ids(box.id, "new") == owner_messages.ids(box.id, "saved") == []


def test_a_message_is_saved_once(box: Mailbox) -> None:
    message_id = message()
    before = version(box)
    assert owner_messages.save(box.id, message_id)
    assert owner_messages.save(box.id, message_id)
    assert owner_messages.ids(box.id, "saved") == [message_id]
    assert told(box) == [events.MESSAGE_READ]
    assert version(box) == before + 1


def test_delete_and_undelete(box: Mailbox) -> None:
    message_id = message(state="saved")
    assert owner_messages.delete(box.id, message_id)
    assert owner_messages.delete(box.id, message_id)
    assert not owner_messages.save(box.id, message_id)
    assert owner_messages.undelete(box.id, message_id)
    assert owner_messages.undelete(box.id, message_id)
    assert owner_messages.ids(box.id, "saved") == [message_id]
    assert told(box) == [events.MESSAGE_DELETED, events.MESSAGE_READ, events.MESSAGE_RESTORED]


@pytest.mark.parametrize("act", [owner_messages.save, owner_messages.delete, owner_messages.undelete])
def test_nobody_touches_what_is_gone_or_anothers(box: Mailbox, act: object) -> None:
    mailboxes.create("1002", pin="4711", actor="test")
    others = message(extension="1002")
    gone = message()
    messages.trash(gone, actor="test")
    with writing():
        db.session.get_one(Message, gone).purged_at = EIGHT
    assert callable(act)
    assert [act(box.id, each) for each in (others, gone, str(uuid.uuid4()), "", "\0")] == [False] * 5
    db.session.expire_all()
    assert db.session.get_one(Message, others).state == "new"


def test_all_saved_ones_are_deleted_and_only_they(box: Mailbox) -> None:
    new = message(5)
    first, urgent = message(1, state="saved"), message(2, state="saved", urgent=True)
    before = version(box)
    assert owner_messages.delete_saved(box.id) == [urgent, first]
    assert owner_messages.delete_saved(box.id) == []
    assert owner_messages.ids(box.id, "new") == [new]
    assert owner_messages.ids(box.id, "saved") == []
    assert told(box).count(events.MESSAGE_DELETED) == 2
    assert version(box) == before + 1


def test_all_saved_ones_are_deleted_by_several_at_once(any_app: Flask, box: Mailbox) -> None:
    made = {message(minute, state="saved") for minute in range(6)}
    box_id = box.id
    results = together(any_app, *[lambda: owner_messages.delete_saved(box_id)] * 4)
    assert sorted(map(len, results)) == [0, 0, 0, 6]
    assert set().union(*results) == made
    assert told(box).count(events.MESSAGE_DELETED) == 6


def test_phones_save_and_delete_in_one_mailbox(any_app: Flask, box: Mailbox) -> None:
    made = [message(minute) for minute in range(6)]
    box_id = box.id
    acts = [lambda each=each: owner_messages.save(box_id, each) for each in made]
    acts += [lambda each=each: owner_messages.delete(box_id, each) for each in made]
    results = together(any_app, *acts)
    assert [result for result in results if result not in (True, False)] == []
    assert results[6:] == [True] * 6
    assert owner_messages.ids(box_id, "new") == owner_messages.ids(box_id, "saved") == []


def test_what_arrives_during_a_call_is_told_once(box: Mailbox) -> None:
    message()
    marker = owner_messages.marker(box.id)
    assert owner_messages.arrived(box.id, marker) == ([], marker)
    # Its time is that of its call: older than what was there already.
    late, urgent = message(-10), message(30, urgent=True)
    ids, marker = owner_messages.arrived(box.id, marker)
    assert ids == [urgent, late]
    assert owner_messages.arrived(box.id, marker) == ([], marker)
    owner_messages.save(box.id, late)
    assert owner_messages.arrived(box.id, marker)[0] == []
    for strange in ("", "x", "-1", "\0"):
        assert owner_messages.arrived(box.id, strange)[0] == []


def test_what_is_kept_after_all_arrives_then(box: Mailbox) -> None:
    discarded = saved(discarded=True)
    marker = owner_messages.marker(box.id)
    messages.keep(discarded, actor="test")
    assert owner_messages.arrived(box.id, marker)[0] == [discarded]


def test_where_a_message_may_be_sent(box: Mailbox) -> None:
    message_id = message()
    other = mailboxes.create("1002", pin="4711", options=Options(aliases="2002", max_messages="1"), actor="test")
    for number in ("1002", "2002"):
        found = owner_messages.to_forward(box.id, message_id, number)
        assert isinstance(found, owner_messages.Forwarding)
        assert (found.message.id, found.mailbox_id, found.by) == (message_id, other.id, "1001")
    assert owner_messages.to_forward(box.id, message_id, "9999") is owner_messages.Refusal.UNKNOWN
    assert owner_messages.to_forward(other.id, message_id, "1001") is owner_messages.Refusal.GONE
    message(extension="1002")
    assert owner_messages.to_forward(box.id, message_id, "1002") is owner_messages.Refusal.FULL
    mailboxes.create("1003", pin="4711", options=Options(announcement_only=True), actor="test")
    assert owner_messages.to_forward(box.id, message_id, "1003") is owner_messages.Refusal.REFUSED


def test_a_wish_has_one_id_until_its_copy_is_a_message(box: Mailbox) -> None:
    for extension in ("1002", "1003"):
        mailboxes.create(extension, pin="4711", actor="test")
    source, another = message(), message()

    def copy_id(message_id: str = source, number: str = "1002") -> str:
        found = owner_messages.to_forward(box.id, message_id, number)
        assert isinstance(found, owner_messages.Forwarding)
        return found.copy_id

    assert copy_id() == copy_id()
    assert len({copy_id(), copy_id(another), copy_id(number="1003")}) == 3
    seen = []
    for _ in range(3):
        seen.append(saved("1002", id=copy_id(), forwarded_from=source, forwarded_by="1001"))
        assert copy_id() not in seen
    # What is purged leaves its id behind: no message could come of it any more.
    for each in seen:
        purge.purge(each)
    assert copy_id() not in seen


def test_a_copy_is_written_down_in_both_mailboxes(box: Mailbox) -> None:
    other = mailboxes.create("1002", pin="4711", actor="test")
    source = message()
    copy = saved("1002", forwarded_from=source, forwarded_by="1001")
    assert told(box) == [events.MESSAGE_FORWARDED]
    assert db.session.scalars(select(Event.event).where(Event.mailbox_id == other.id)).all() == ["message.created"]
    found = db.session.get_one(Message, copy)
    assert (found.forwarded_from, found.forwarded_by) == (source, "1001")


def test_owners_who_forward_to_each_other_do_not_wait_for_each_other(any_app: Flask, box: Mailbox) -> None:
    mailboxes.create("1002", pin="4711", actor="test")
    for _ in range(5):
        sources = message(), message(extension="1002")
        copies = [
            take("1002", forwarded_from=sources[0], forwarded_by="1001"),
            take("1001", forwarded_from=sources[1], forwarded_by="1002"),
            take("1001", forwarded_from=sources[0], forwarded_by="1001"),
        ]
        acts = [lambda copy=copy: messages.save_take(copy).id for copy in copies]
        marks = [lambda source=source: messages.mark(source, "saved", actor="test").id for source in sources]
        assert together(any_app, *acts, *marks) == [*(copy.id for copy in copies), *sources]


def test_a_mailbox_says_once_that_it_is_nearly_full_and_full(box: Mailbox) -> None:
    mailboxes.update("1001", **DETAILS, options=Options(max_messages="10"), actor="test")
    for number in range(1, 12):
        found = mailboxes.get("1001")
        assert quota.of(found).full is (number > 10)
        assert quota.of(found).nearly_full is (number > 9)
        message(number)
    assert told(box) == [events.MAILBOX_FULL, events.MAILBOX_NEARLY_FULL]


def test_seconds_fill_a_mailbox_and_the_trash_does_not(box: Mailbox) -> None:
    mailboxes.update("1001", **DETAILS, options=Options(max_seconds="10"), actor="test")
    first = saved(duration=6.0)
    saved(duration=4.5)
    assert quota.of(mailboxes.get("1001")).full
    owner_messages.delete(box.id, first)
    assert not quota.of(mailboxes.get("1001")).full
    # Taken back, it fills the mailbox again, and that is told again.
    owner_messages.undelete(box.id, first)
    assert quota.of(mailboxes.get("1001")).full
    assert told(box).count(events.MAILBOX_FULL) == 2


def test_what_is_left_for_a_message(box: Mailbox) -> None:
    assert quota.of(mailboxes.get("1001")).seconds_left is None
    mailboxes.update("1001", **DETAILS, options=Options(max_seconds="10"), actor="test")
    saved(duration=6.5)
    found = quota.of(mailboxes.get("1001"))
    assert (found.seconds_left, found.full, found.nearly_full) == (3.5, False, False)
    # Less than three seconds are no room for a message.
    saved(duration=1.0)
    found = quota.of(mailboxes.get("1001"))
    assert (found.full, found.nearly_full) == (True, True)
    assert told(box).count(events.MAILBOX_FULL) == 1
    saved(duration=5.0)
    assert quota.of(mailboxes.get("1001")).seconds_left == 0.0


def test_room_for_less_than_a_message_needs_is_none(any_app: Flask, box: Mailbox) -> None:
    """Else each caller would speak into a message that is not kept."""
    mailboxes.update("1001", **DETAILS, options=Options(max_seconds="20"), actor="test")
    saved(duration=14.0)
    assert not quota.of(mailboxes.get("1001")).full
    mailboxes.update("1001", **DETAILS, options=Options(max_seconds="20", min_speech="6.5"), actor="test")
    assert quota.of(mailboxes.get("1001")).full
    mailboxes.update("1001", **DETAILS, options=Options(max_seconds="20"), actor="test")
    any_app.extensions["settings"] = replace(any_app.extensions["settings"], min_duration=7.0)
    assert quota.of(mailboxes.get("1001")).full
    saved(duration=2.0)
    assert told(box).count(events.MAILBOX_FULL) == 0, "it was full before"


def test_a_small_mailbox_is_not_full_while_it_is_empty() -> None:
    assert [quota.Quota(0, used, 0, 2).full for used in (0.0, 0.5, 2.0)] == [False, True, True]


def test_ten_thousand_messages_open_quickly(box: Mailbox) -> None:
    usual = {"mailbox_id": box.id, "size": 1, "sha256": "", "duration": 1.0, "state": "new", "created_at": EIGHT}
    rows = [
        {
            **usual,
            "id": str(uuid.uuid4()),
            "received_at": EIGHT + timedelta(seconds=number),
            "urgent": number % 100 == 0,
        }
        for number in range(10_000)
    ]
    with writing():
        db.session.execute(insert(Message), rows)
    owner_messages.ids(box.id, "new")
    began = time.perf_counter()
    page = owner_messages.ids(box.id, "new")
    took = time.perf_counter() - began
    assert page[:2] == [rows[0]["id"], rows[100]["id"]]
    assert took < 0.2
