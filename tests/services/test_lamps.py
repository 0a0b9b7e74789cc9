"""Lamps on each kind of database: who is behind, who may tell a PBX, and when a mailbox's flag goes."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from app.database import writing
from app.extensions import db
from app.models import Lamp, Mailbox, Message
from app.models.base import utc_now
from app.services import inbox, lamps, mailboxes, messages, owner_messages, subscriptions
from app.services.lamps import Claimed, Pbx, Told
from app.services.subscriptions import Counts, Held
from tests.conftest import leave_message

PBX = Pbx("sip:{extension}@pbx", refresh=900.0, uptime=900.0)
ONE, OTHER = "one:5060", "other:5060"


def counts_of(box: Mailbox) -> Counts:
    (found,) = subscriptions.counts([box.id])
    return found


def phone_told(box: Mailbox, key: str = "call;tag", **facts: object) -> Told:
    counts = counts_of(box)
    usual = {"answer": "200 OK", "works": True, "version": counts.version, "remaining": 600.0, "device": "sip:a@b"}
    return Told(key, "subscription", counts, **(usual | facts))  # type: ignore[arg-type]


def pbx_told(claimed: Claimed, **facts: object) -> Told:
    usual = {"answer": "200 OK", "works": True, "version": claimed.counts.version, "remaining": 2700.0}
    return Told(claimed.key, "pbx", claimed.counts, over=claimed.over, **(usual | facts))  # type: ignore[arg-type]


def touch(box: Mailbox) -> None:
    with writing():
        inbox.touch(box.id)


def dirty(box: Mailbox) -> bool:
    db.session.expire_all()
    return db.session.get_one(Mailbox, box.id).mwi_dirty


def owed(worker: str = ONE, pbx: Pbx | None = PBX) -> tuple[list[str], list[str]]:
    found = lamps.owed(worker, pbx, 20)
    return found.subscribed, found.at_pbx


def age(**columns: float) -> None:
    """Let times of all lamps lie so many seconds in the past."""
    with writing():
        times = {name: utc_now() - timedelta(seconds=seconds) for name, seconds in columns.items()}
        db.session.execute(update(Lamp).values(**times))


class TestSubscriptions:
    """Each worker looks after its own."""

    def test_a_change_that_nobody_heard_is_found_by_its_worker(self, box: Mailbox) -> None:
        lamps.save(ONE, [phone_told(box)])
        assert owed(pbx=None) == ([], [])
        touch(box)
        assert owed(ONE, None) == ([box.id], [])
        assert owed(OTHER, None) == ([], [])
        lamps.save(ONE, [phone_told(box)])
        assert owed(ONE, None) == ([], [])

    def test_the_flag_goes_when_all_know_and_only_for_that_version(self, box: Mailbox) -> None:
        lamps.save(ONE, [phone_told(box, "a;1")])
        lamps.save(OTHER, [phone_told(box, "b;1")])
        touch(box)
        late = phone_told(box, "b;1")
        lamps.save(ONE, [phone_told(box, "a;1")])
        assert dirty(box)
        touch(box)
        lamps.save(OTHER, [late])
        assert dirty(box)
        assert (owed(ONE, None)[0], owed(OTHER, None)[0]) == ([box.id], [box.id])
        lamps.save(ONE, [phone_told(box, "a;1")])
        lamps.save(OTHER, [phone_told(box, "b;1")])
        assert not dirty(box)

    def test_one_that_could_not_hear_now_stays_behind(self, box: Mailbox) -> None:
        lamps.save(ONE, [phone_told(box)])
        touch(box)
        lamps.save(ONE, [phone_told(box, version=None, works=False, answer="503 Busy")])
        assert owed(ONE, None) == ([box.id], [])
        (lamp,) = lamps.of_mailbox(box.id)
        assert (lamp.answer, lamp.works) == ("503 Busy", False)

    def test_without_lamps_there_is_nothing_to_do(self, box: Mailbox) -> None:
        touch(box)
        assert dirty(box)
        lamps.settle()
        assert not dirty(box)

    def test_rows_go_with_their_subscription_and_when_they_expired(self, box: Mailbox) -> None:
        subscriptions.save("one", [Held("a;1", box.id, utc_now().timestamp() + 600, {})], [])
        lamps.save(ONE, [phone_told(box, "a;1"), phone_told(box, "b;1")])
        assert len(lamps.of_mailbox(box.id)) == 2
        subscriptions.save("one", [], ["a;1"])
        assert len(lamps.of_mailbox(box.id)) == 1
        touch(box)
        age(expires_at=lamps.GRACE_SECONDS - 30)
        assert lamps.of_mailbox(box.id) == []
        # A host that is gone for good holds no flag.
        lamps.settle()
        assert not dirty(box)
        age(expires_at=lamps.GRACE_SECONDS + 30)
        lamps.settle()
        assert db.session.query(Lamp).count() == 0

    def test_strange_texts_and_a_mailbox_that_is_gone(self, box: Mailbox) -> None:
        gone = replace(counts_of(box), mailbox_id="no-such-box")
        strange = phone_told(box, device="sip:\x00\x1b" + "x" * 400, answer="200 \u0007" + "y" * 400)
        lamps.save(ONE, [replace(phone_told(box, "g;1"), counts=gone), strange])
        (lamp,) = lamps.of_mailbox(box.id)
        assert (lamp.device[:6], len(lamp.device), len(lamp.answer)) == ("sip:\ufffd\ufffd", 255, 200)


class TestPbx:
    """One worker at a time tells a PBX of a mailbox."""

    def test_told_once_and_again_when_it_changed_or_time_is_up(self, box: Mailbox) -> None:
        assert owed() == ([], [box.id])
        (claimed,) = lamps.claim(ONE, PBX, [box.id])
        assert (claimed.uri, claimed.counts, claimed.over) == ("sip:1001@pbx", counts_of(box), False)
        assert lamps.claim(OTHER, PBX, [box.id]) == []
        lamps.save(ONE, [pbx_told(claimed)])
        assert owed() == ([], [])
        assert lamps.claim(ONE, PBX, [box.id]) == []
        touch(box)
        assert owed() == ([], [box.id])
        (again,) = lamps.claim(ONE, PBX, [box.id])
        assert again.counts.version == 1
        lamps.save(ONE, [pbx_told(again)])
        assert not dirty(box)
        age(sent_at=901)
        assert owed() == ([], [box.id])
        assert len(lamps.claim(OTHER, PBX, [box.id])) == 1

    def test_a_worker_that_starts_tells_all_anew(self, box: Mailbox) -> None:
        (claimed,) = lamps.claim(ONE, PBX, [box.id])
        lamps.save(ONE, [pbx_told(claimed)])
        age(sent_at=30)
        assert owed(pbx=replace(PBX, uptime=60.0)) == ([], [])
        assert owed(pbx=replace(PBX, uptime=2.0)) == ([], [box.id])

    def test_of_a_worker_that_died_another_takes_over(self, box: Mailbox) -> None:
        touch(box)
        assert lamps.claim(ONE, PBX, [box.id])
        assert owed(OTHER) == ([], [])
        # The one that claimed it, started again, goes on at once.
        assert owed(ONE) == ([], [box.id])
        age(claimed_until=1)
        assert owed(OTHER) == ([], [box.id])
        (claimed,) = lamps.claim(OTHER, PBX, [box.id])
        lamps.save(OTHER, [pbx_told(claimed)])
        assert not dirty(box)

    def test_another_worker_waits_a_second(self, box: Mailbox) -> None:
        (claimed,) = lamps.claim(ONE, PBX, [box.id])
        lamps.save(ONE, [pbx_told(claimed)])
        touch(box)
        # Within the second, however slow the machine is.
        age(sent_at=-60)
        assert lamps.claim(OTHER, PBX, [box.id]) == []
        age(sent_at=2)
        assert len(lamps.claim(OTHER, PBX, [box.id])) == 1

    def test_what_changes_while_it_is_told_is_owed(self, box: Mailbox) -> None:
        (claimed,) = lamps.claim(ONE, PBX, [box.id])
        touch(box)
        lamps.save(ONE, [pbx_told(claimed)])
        assert dirty(box)
        assert owed() == ([], [box.id])

    def test_a_pbx_that_is_away_stays_owed(self, box: Mailbox) -> None:
        (claimed,) = lamps.claim(ONE, PBX, [box.id])
        lamps.save(ONE, [pbx_told(claimed, version=None, works=False, answer="no answer within 32 s")])
        assert owed() == ([], [box.id])
        assert [lamp.answer for lamp in lamps.of_mailbox(box.id)] == ["no answer within 32 s"]

    def test_a_deleted_mailbox_goes_out_and_its_row_goes(self, box: Mailbox) -> None:
        (claimed,) = lamps.claim(ONE, PBX, [box.id])
        lamps.save(ONE, [pbx_told(claimed)])
        mailboxes.delete("1001", confirm="1001", actor="test")
        assert owed() == ([], [box.id])
        (last,) = lamps.claim(ONE, PBX, [box.id])
        assert (last.uri, last.over, last.counts.new) == ("sip:1001@pbx", True, 0)
        lamps.save(ONE, [pbx_told(last)])
        assert db.session.query(Lamp).count() == 0
        assert owed() == ([], [])

    def test_an_extension_that_is_anothers_now_is_left_alone(self, box: Mailbox) -> None:
        (claimed,) = lamps.claim(ONE, PBX, [box.id])
        lamps.save(ONE, [pbx_told(claimed)])
        mailboxes.delete("1001", confirm="1001", actor="test")
        heir = mailboxes.create("1001", pin="4711", actor="test")
        assert lamps.claim(ONE, PBX, [box.id]) == []
        assert owed() == ([], [heir.id])

    def test_a_renamed_mailbox_has_two_things_to_tell(self, box: Mailbox) -> None:
        (claimed,) = lamps.claim(ONE, PBX, [box.id])
        lamps.save(ONE, [pbx_told(claimed)])
        mailboxes.update("1001", name="", email="", language="en", timezone="UTC", new_extension="1002", actor="test")
        assert owed() == ([], [box.id])
        found = {one.uri: one.over for one in lamps.claim(ONE, PBX, [box.id])}
        assert found == {"sip:1001@pbx": True, "sip:1002@pbx": False}

    def test_those_that_changed_come_first(self, box: Mailbox) -> None:
        for number in range(2000, 2030):
            mailboxes.create(str(number), pin="4711", actor="test")
        late = mailboxes.get("2029")
        touch(late)
        assert lamps.owed(ONE, PBX, 5).at_pbx[0] == late.id


def test_of_many_that_claim_at_once_one_wins(any_app: Flask) -> None:
    box_id = mailboxes.create("1001", pin="4711", actor="test").id
    db.session.rollback()
    ready, found = threading.Barrier(4), []

    def run(number: int) -> None:
        with any_app.app_context():
            ready.wait()
            found.append(len(lamps.claim(f"worker{number}:5060", PBX, [box_id])))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [0, 0, 0, 1]


@pytest.mark.parametrize("act", ["deposit", "mark", "trash", "restore", "save", "delete", "delete_saved", "keep"])
def test_every_change_is_told_after_its_commit(app: Flask, monkeypatch: pytest.MonkeyPatch, act: str) -> None:
    told: list[tuple[str, bool]] = []

    def publish(_channel: str, mailbox_id: str) -> bool:
        told.append((mailbox_id, db.session.get_one(Mailbox, mailbox_id).mwi_dirty))
        return True

    with app.app_context():
        box_id = mailboxes.create("1001", pin="4711", actor="test").id
        message_id = leave_message(app, "1001", uploaded=False, discarded=act == "keep")
        if act == "restore":
            messages.trash(message_id, actor="test")
        if act == "delete_saved":
            messages.mark(message_id, "saved", actor="test")
        monkeypatch.setattr(inbox.queue, "publish", publish)
        {
            "deposit": lambda: leave_message(app, "1001", uploaded=False),
            "mark": lambda: messages.mark(message_id, "saved", actor="test"),
            "trash": lambda: messages.trash(message_id, actor="test"),
            "restore": lambda: messages.restore(message_id, actor="test"),
            "save": lambda: owner_messages.save(box_id, message_id),
            "delete": lambda: owner_messages.delete(box_id, message_id),
            "delete_saved": lambda: owner_messages.delete_saved(box_id),
            "keep": lambda: messages.keep(message_id, actor="test"),
        }[act]()
        assert told == [(box_id, True)]
        assert db.session.query(Message).count() >= 1
