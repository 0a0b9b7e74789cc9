"""How long messages stay: by mailbox or settings, by the database's clock, first in the trash and then for good."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, select, update

from app.errors import Invalid, NotFound
from app.extensions import db
from app.jobs import relay
from app.models import Audit, Delivery, Event, Mailbox, Message
from app.models.base import new_id, utc_now
from app.services import events, mailboxes, messages, purge, quota, retention
from app.services.context import settings
from app.services.mailbox_options import Options
from app.services.spool import wav_of
from app.storage import StoreError
from tests.services.takes import saved, spooled, take
from tests.services.together import together

LONG_AGO = timedelta(days=1000)


def general(app: Flask, **days: int) -> None:
    """Settings of [retention]."""
    app.extensions["settings"] = replace(settings(), retention=replace(settings().retention, **days))


def own(extension: str = "1001", **options: str) -> None:
    details = {"name": "", "email": "", "language": "en", "timezone": "UTC"}
    mailboxes.update(extension, **details, options=Options(**options), actor="test")


def came(message_id: str, days: float) -> str:
    """Let a message have come, and all that happened to it have happened, so many days ago."""
    at = utc_now() - timedelta(days=days)
    db.session.execute(update(Message).where(Message.id == message_id).values(created_at=at))
    db.session.execute(update(Event).where(Event.message_id == message_id).values(created_at=at))
    db.session.commit()
    return message_id


def row(message_id: str) -> Message:
    db.session.expire_all()
    return db.session.get_one(Message, message_id)


def in_trash(*ids: str) -> list[bool]:
    return [row(each).deleted_at is not None for each in ids]


def audited(action: str) -> list[tuple[str, str, str]]:
    query = select(Audit.actor, Audit.object_id, Audit.detail).where(Audit.action == action).order_by(Audit.id)
    return [tuple(found) for found in db.session.execute(query)]


def version() -> int:
    db.session.expire_all()
    return mailboxes.get("1001").mwi_version


def test_by_themselves_messages_stay_for_ever(box: Mailbox) -> None:
    new, heard = saved(), saved()
    messages.mark(heard, "saved", actor="t")
    for each in (new, heard):
        came(each, 3650)
    assert retention.to_trash() == 0
    assert in_trash(new, heard) == [False, False]
    assert retention.Days.of(box) == retention.Days(0, 0, 30)


@pytest.mark.parametrize("state", ["new", "saved"])
@pytest.mark.parametrize("by_mailbox", [True, False])
def test_what_is_too_old_goes_to_the_trash(any_app: Flask, box: Mailbox, state: str, by_mailbox: bool) -> None:
    young, old, other_state = saved(), saved(), saved()
    for each in (young, old) if state == "saved" else (other_state,):
        messages.mark(each, "saved", actor="t")
    if by_mailbox:
        own(**{f"{state}_days": "5"})
    else:
        general(any_app, **{f"{state}_days": 5})
    for each, days in ((young, 4.9), (old, 5.1), (other_state, 900)):
        came(each, days)
    before = version()
    assert retention.to_trash() == 1
    assert in_trash(young, old, other_state) == [False, True, False]
    # A moment ago, by the database's clock: the days of the trash begin now.
    assert abs(row(old).deleted_at - utc_now()) < timedelta(minutes=1)
    assert version() == before + 1, "lamps and open lists hear of it"
    assert audited("message.delete") == [("retention", old, f"1001: {state} for more than 5 days")]
    last = events.recent(row(old).mailbox_id, 1)[0]
    assert (last.event, last.message_id) == (events.MESSAGE_DELETED, old)
    assert retention.to_trash() == 0
    assert purge.sweep_retention() == 0


def test_a_mailbox_goes_before_the_settings(any_app: Flask, box: Mailbox) -> None:
    mailboxes.create("1002", pin="4711", actor="test")
    mailboxes.create("1003", pin="4711", actor="test")
    ids = [came(saved(extension), 20) for extension in ("1001", "1002", "1003")]
    general(any_app, new_days=10)
    own("1001", new_days="0")
    own("1002", new_days="30")
    assert retention.to_trash() == 1
    assert in_trash(*ids) == [False, False, True]


def test_what_was_saved_or_taken_back_a_moment_ago_is_not_thrown_away(any_app: Flask, box: Mailbox) -> None:
    general(any_app, new_days=5, saved_days=5)
    marked, back = came(saved(), 100), came(saved(), 100)
    messages.mark(marked, "saved", actor="t")
    assert retention.to_trash() == 1
    messages.restore(back, actor="t")
    assert retention.to_trash() == 0
    came(back, 6)
    assert retention.to_trash() == 1
    assert in_trash(marked, back) == [False, True]


def test_the_clock_of_the_host_that_recorded_it_does_not_count(any_app: Flask, box: Mailbox) -> None:
    general(any_app, new_days=5)
    ids = [saved(received_at=datetime(year, 1, 1, tzinfo=UTC)) for year in (1999, 2099)]
    assert retention.to_trash() == 0
    came(ids[1], 6)
    retention.to_trash()
    assert in_trash(*ids) == [False, True]


def test_recordings_without_speech_and_deleted_mailboxes_have_rules_of_their_own(any_app: Flask, box: Mailbox) -> None:
    general(any_app, new_days=1, saved_days=1)
    mailboxes.create("1002", pin="4711", actor="test")
    ids = [came(saved(discarded=True), 5), came(saved("1002"), 5)]
    mailboxes.delete("1002", confirm="1002", actor="test")
    assert retention.to_trash() == 0
    assert in_trash(*ids) == [False, False]


@pytest.mark.parametrize(("days", "ends"), [("", [30]), ("90", []), ("2", [3, 30]), ("0", [0, 3, 30])])
def test_the_trash_keeps_for_its_days(box: Mailbox, days: str, ends: list[int]) -> None:
    own(trash_days=days)
    ids = {age: saved() for age in (0, 3, 30)}
    for age, each in ids.items():
        messages.trash(each, actor="t")
        at = utc_now() - timedelta(days=age, seconds=5)
        db.session.execute(update(Message).where(Message.id == each).values(deleted_at=at))
        db.session.commit()
    assert purge.sweep_retention() == len(ends)
    assert [age for age, each in ids.items() if row(each).purged_at] == ends
    assert sorted(audited("message.purge")) == sorted(("retention", ids[age], "1001: trash") for age in ends)


def test_the_audit_log_says_why_and_nothing_of_the_caller(any_app: Flask, box: Mailbox) -> None:
    silent, kept = saved(discarded=True), saved()
    came(silent, 8)
    purge.sweep_retention()
    mailboxes.delete("1001", confirm="1001", actor="test")
    db.session.execute(update(Mailbox).values(deleted_at=utc_now() - timedelta(days=31)))
    db.session.commit()
    purge.sweep_retention()
    assert audited("message.purge") == [
        ("retention", silent, "1001: no speech"),
        ("retention", kept, "1001: mailbox deleted"),
    ]
    for line in db.session.scalars(select(Audit)):
        assert "0301234567" not in line.detail
        assert "Carla" not in line.detail


def test_room_comes_back(any_app: Flask, box: Mailbox) -> None:
    general(any_app, new_days=5)
    own(max_messages="2")
    for _ in range(2):
        came(saved(), 6)
    assert quota.of(mailboxes.get("1001")).full
    retention.to_trash()
    assert not quota.of(mailboxes.get("1001")).full


def test_webhooks_are_told(any_app: Flask, box: Mailbox) -> None:
    general(any_app, new_days=5)
    any_app.extensions["settings"] = replace(
        settings(), webhook=replace(settings().webhook, url="https://example.com/hook")
    )
    old = came(saved(), 6)
    retention.to_trash()
    told = select(Delivery.event).where(Delivery.kind == "webhook", Delivery.message_id == old)
    assert sorted(db.session.scalars(told)) == ["message.created", "message.deleted"]


def test_several_relays_at_once_move_and_purge_each_once(any_app: Flask, box: Mailbox) -> None:
    general(any_app, new_days=5, trash_days=0)
    ids = [came(saved(), 6) for _ in range(12)]
    results = together(any_app, *[retention.to_trash] * 3, *[lambda: messages.mark(ids[0], "saved", actor="t")] * 2)
    assert [result for result in results if isinstance(result, Exception)] == []
    rest = together(any_app, *[purge.sweep_retention] * 3)
    assert [result for result in rest if isinstance(result, Exception)] == []
    told = Counter((row.event, row.message_id) for row in db.session.execute(select(Event.event, Event.message_id)))
    assert max(told.values()) == 1
    purged = [each for each in ids if row(each).purged_at]
    assert len(purged) >= 11
    assert sorted(each for _, each, _ in audited("message.purge")) == sorted(purged)


def test_many_go_in_batches(any_app: Flask, box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    general(any_app, new_days=5)
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        came(saved(), 6)
    assert [retention.to_trash() for _ in range(4)] == [2, 2, 1, 0]


def test_the_relay_goes_on_where_more_is_too_old(any_app: Flask, box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    general(any_app, new_days=5)
    for module in (retention, purge):
        monkeypatch.setattr(module, "BATCH", 2)
    for _ in range(3):
        came(saved(), 6)
    assert [relay.sweep() for _ in range(2)] == [True, False]
    assert messages.counts("1001")["trash"] == 3


def test_most_messages_are_young(box: Mailbox, any_app: Flask) -> None:
    """A sweep of 20,000 messages reads no row of those that stay."""
    general(any_app, new_days=5, saved_days=5)
    one = {
        "mailbox_id": box.id, "received_at": utc_now(), "created_at": utc_now(), "duration": 1.0, "size": 1,
        "sha256": "", "state": "new", "caller_number": "", "caller_name": "", "call_id": "", "urgent": False,
        "content_type": "audio/wav",
    }  # fmt: skip
    for _ in range(10):
        db.session.execute(insert(Message), [one | {"id": new_id()} for _ in range(2000)])
    db.session.commit()
    seen: list[Any] = []
    db.event.listen(Message, "load", loaded := lambda target, _: seen.append(target))
    try:
        began = datetime.now(UTC)
        assert retention.to_trash() == 0
        assert purge.sweep_retention() == 0
        assert datetime.now(UTC) - began < timedelta(seconds=5)
    finally:
        db.event.remove(Message, "load", loaded)
    assert seen == []


class TestForGood:
    """What staff end before its days are over."""

    def test_one_message(self, box: Mailbox) -> None:
        mine = spooled(take())
        messages.save_take(mine)
        with pytest.raises(Invalid, match="in the trash"):
            purge.delete_for_good(mine.id, actor="anna")
        messages.trash(mine.id, actor="anna")
        assert purge.delete_for_good(mine.id, actor="anna").purged_at is not None
        assert not wav_of(settings(), mine.id).exists()
        assert audited("message.purge") == [("anna", mine.id, "1001: trash")]
        with pytest.raises(NotFound):
            purge.delete_for_good(mine.id, actor="anna")
        with pytest.raises(NotFound):
            purge.delete_for_good("no such message", actor="anna")

    def test_the_trash_as_it_was_seen(self, box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(purge, "BATCH", 2)
        mailboxes.create("1002", pin="4711", actor="test")
        kept, others, later = saved(), saved("1002"), saved()
        gone = [messages.save_take(spooled(take())).id for _ in range(5)]
        for each in (*gone, others):
            messages.trash(each, actor="t")
        seen = row(gone[-1]).deleted_at
        messages.trash(later, actor="t")
        db.session.execute(update(Message).where(Message.id == later).values(deleted_at=seen + timedelta(seconds=1)))
        db.session.commit()
        assert purge.empty_trash("1001", until=seen, actor="anna") == 5
        assert [bool(row(each).purged_at) for each in (kept, others, later)] == [False, False, False]
        assert [wav_of(settings(), each).exists() for each in gone] == [False] * 5
        assert sorted(audited("message.purge")) == sorted(("anna", each, "1001: trash") for each in gone)
        assert purge.empty_trash("1001", until=seen, actor="anna") == 0
        with pytest.raises(NotFound):
            purge.empty_trash("99", until=seen, actor="anna")

    def test_what_no_patience_was_left_for_the_sweep_removes(
        self, box: Mailbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mine = messages.save_take(spooled(take())).id
        messages.trash(mine, actor="t")
        monkeypatch.setattr(purge, "PATIENCE_SECONDS", -1.0)
        assert purge.empty_trash("1001", until=row(mine).deleted_at, actor="anna") == 1
        assert wav_of(settings(), mine).exists()
        assert purge.sweep_retention() == 1
        assert not wav_of(settings(), mine).exists()


def test_a_store_that_is_away_is_not_asked_for_each_message(box: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [messages.save_take(spooled(take())).id for _ in range(20)]
    for each in ids:
        messages.trash(each, actor="t")
    db.session.execute(update(Message).values(deleted_at=utc_now() - LONG_AGO))
    db.session.commit()
    asked: list[str] = []

    class Away:
        def delete(self, key: str) -> None:
            asked.append(key)
            raise StoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr(purge, "open_to_change", lambda settings: Away())
        assert purge.sweep_retention() == 20
    assert len(asked) == 2 * purge.FAILURES
    assert all(row(each).purged_at for each in ids), "nobody hears them meanwhile"
    assert purge.sweep_retention() == 20
    assert [wav_of(settings(), each).exists() for each in ids] == [False] * 20
