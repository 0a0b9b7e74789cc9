"""Messages on every kind of database: saved once, listed, marked, thrown away and taken back."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError

from app import create_app
from app.errors import Forbidden, Invalid, NotFound, Unavailable
from app.extensions import db
from app.models import Audit, Delivery, Mailbox, Message
from app.models.base import new_id
from app.services import mailboxes, messages, outbox, purge
from app.services.context import settings
from app.services.messages import SpoolFate
from app.storage import message_key, open_store
from tests.services.takes import AUDIO, saved, spooled, take
from tests.services.together import together
from tests.support import make_settings

PLAN = [("upload", "pending"), ("email", "skipped"), ("webhook", "skipped")]


def count(model: type[Message] | type[Delivery]) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def listed(view: str = "all", limit: int = 50) -> list[str]:
    """Ids of a view, page by page."""
    ids: list[str] = []
    cursor = None
    while True:
        rows, cursor = messages.listing("1001", view=view, cursor=cursor, limit=limit)
        ids += [message.id for message in rows]
        if cursor is None:
            return ids


def test_a_take_becomes_a_message_with_its_outbox_rows(box: Mailbox) -> None:
    mine = take(caller_name="Ċarla <script> 😀", urgent=True)
    messages.save_take(mine)
    db.session.expire_all()
    message = messages.get(mine.id)
    assert (message.state, message.urgent, message.spool_host, message.storage_key) == ("new", True, mine.host, None)
    assert (message.caller_name, message.caller_number) == (mine.caller_name, mine.caller_number)
    assert message.received_at == mine.received_at
    assert [(row.kind, row.state) for row in message.deliveries] == PLAN
    assert len({row.event_id for row in message.deliveries}) == 1
    assert message.deliveries[0].target == mine.host
    assert messages.get(mine.id).mailbox.mwi_dirty


def test_a_take_is_saved_once(box: Mailbox) -> None:
    mine = take()
    first, second = messages.save_take(mine), messages.save_take(mine)
    assert first.id == second.id == mine.id
    assert (count(Message), count(Delivery)) == (1, 3)
    assert mailboxes.get("1001").mwi_version == 1


def test_a_take_is_saved_once_by_several_at_once(box: Mailbox, any_app: Flask) -> None:
    mine = take()
    results = together(any_app, *[lambda: messages.save_take(mine).id] * 4)
    assert results == [mine.id] * 4
    assert (count(Message), count(Delivery)) == (1, 3)


def test_takes_of_one_mailbox_are_saved_side_by_side(box: Mailbox, any_app: Flask) -> None:
    takes = [take() for _ in range(8)]
    results = together(any_app, *[lambda mine=mine: messages.save_take(mine).id for mine in takes])
    assert results == [mine.id for mine in takes]
    db.session.expire_all()
    assert (count(Message), count(Delivery)) == (8, 24)
    assert mailboxes.get("1001").mwi_version == 8


def test_what_callers_send_is_cut_to_what_a_row_holds(box: Mailbox) -> None:
    mine = take(caller_name="😀" * 500, caller_number="1\0\n2\ud800" * 100, call_id="c" * 9999)
    messages.save_take(mine)
    db.session.expire_all()
    message = messages.get(mine.id)
    assert message.caller_name == "😀" * 128
    assert message.caller_number == ("12" * 100)[:128]
    assert len(message.call_id) == 255


def test_a_take_for_a_mailbox_that_was_deleted_is_kept_but_shown_to_nobody(box: Mailbox) -> None:
    mine = take()
    mailboxes.delete("1001", confirm="1001", actor="test")
    mailboxes.create("1001", pin="4711", actor="test")
    messages.save_take(mine)
    assert messages.known_ids([mine.id]) == {mine.id: SpoolFate.OWED}
    assert listed() == []
    with pytest.raises(NotFound):
        messages.get(mine.id)


def test_a_take_of_no_mailbox_is_refused(box: Mailbox) -> None:
    with pytest.raises(IntegrityError):
        messages.save_take(take(mailbox_id=new_id()))
    assert (count(Message), count(Delivery)) == (0, 0)


def test_a_discarded_take_waits_for_somebody_to_keep_it(box: Mailbox) -> None:
    message_id = saved(discarded=True)
    assert count(Delivery) == 0
    assert listed() == []
    assert listed("discarded") == [message_id]
    assert messages.counts("1001") == {"all": 0, "new": 0, "saved": 0, "trash": 0, "discarded": 1}
    with pytest.raises(Invalid):
        messages.mark(message_id, "saved", actor="test")
    messages.keep(message_id, actor="test")
    messages.keep(message_id, actor="test")
    assert listed("new") == [message_id]
    assert [(row.kind, row.state) for row in messages.get(message_id).deliveries] == PLAN
    assert count(Delivery) == 3


def test_two_who_keep_at_once_make_one_set_of_deliveries(box: Mailbox, any_app: Flask) -> None:
    message_id = saved(discarded=True)
    results = together(any_app, *[lambda: messages.keep(message_id, actor="test").id] * 4)
    assert results == [message_id] * 4
    assert count(Delivery) == 3


def test_recordings_of_one_mailbox_are_kept_side_by_side(box: Mailbox, any_app: Flask) -> None:
    ids = [saved(discarded=True) for _ in range(6)]
    results = together(any_app, *[partial(messages.keep, message_id, actor="test") for message_id in ids])
    assert [type(result) for result in results] == [Message] * 6
    db.session.rollback()
    assert sorted(listed("new")) == sorted(ids)


def test_what_is_in_the_trash_is_not_kept(box: Mailbox) -> None:
    message_id = saved(discarded=True)
    messages.trash(message_id, actor="test")
    with pytest.raises(Forbidden):
        messages.keep(message_id, actor="test")
    messages.restore(message_id, actor="test")
    assert messages.keep(message_id, actor="test").state == "new"


def test_mark_trash_and_restore(box: Mailbox) -> None:
    message_id = saved()
    assert messages.mark(message_id, "saved", actor="test").state == "saved"
    assert listed("saved") == [message_id]
    assert messages.trash(message_id, actor="test").deleted_at is not None
    assert (listed(), listed("trash")) == ([], [message_id])
    assert messages.restore(message_id, actor="test").deleted_at is None
    assert listed("saved") == [message_id]
    assert messages.mark(message_id, "new", actor="test").state == "new"
    for state in ("discarded", "", "heard", "\0"):
        with pytest.raises(Invalid):
            messages.mark(message_id, state, actor="test")


def test_what_several_do_at_once_is_done_and_recorded_once(box: Mailbox, any_app: Flask) -> None:
    message_id = saved()
    for act, recorded in ((messages.trash, "message.delete"), (messages.restore, "message.restore")):
        results = together(any_app, *[partial(act, message_id, actor="test")] * 4)
        assert [type(result) for result in results] == [Message] * 4
        db.session.rollback()
        assert (messages.get(message_id).deleted_at is not None) == (act is messages.trash)
        lines = select(func.count()).select_from(Audit).where(Audit.action == recorded)
        assert db.session.scalar(lines) == 1


def test_everything_at_once_ends(box: Mailbox, any_app: Flask) -> None:
    ids = [saved() for _ in range(3)]
    acts = [partial(act, message_id, actor="test") for message_id in ids for act in (messages.trash, messages.restore)]
    acts += [partial(messages.mark, message_id, "saved", actor="test") for message_id in ids]
    results = together(any_app, *acts, *[partial(purge.purge, ids[0])] * 2, *[partial(saved, "1001")] * 2)
    assert [result for result in results if isinstance(result, Exception) and not isinstance(result, NotFound)] == []
    db.session.rollback()
    assert sum(messages.counts("1001")[view] for view in ("all", "trash")) == 4


def test_anothers_message_is_like_an_unknown_one(box: Mailbox) -> None:
    other = mailboxes.create("2", pin="4711", actor="test")
    message_id = saved("1001")
    acts: list[Callable[[str, str | None], object]] = [
        lambda wanted, whose: messages.get(wanted, mailbox_id=whose),
        lambda wanted, whose: messages.mark(wanted, "saved", actor="x", mailbox_id=whose),
        lambda wanted, whose: messages.trash(wanted, actor="x", mailbox_id=whose),
        lambda wanted, whose: messages.restore(wanted, actor="x", mailbox_id=whose),
        lambda wanted, whose: messages.keep(wanted, actor="x", mailbox_id=whose),
    ]
    unknown = [new_id(), message_id.upper(), "", "\0", "\ud800", "../" + message_id, "x" * 5000]
    said: set[str] = set()
    for act in acts:
        for wanted, whose in [(message_id, other.id), *((text, None) for text in unknown)]:
            with pytest.raises(NotFound) as refused:
                act(wanted, whose)
            said.add(refused.value.message)
    assert said == {"There is no such message."}
    assert messages.get(message_id, mailbox_id=box.id).state == "new"


def test_pages_miss_nothing_where_times_are_equal(box: Mailbox) -> None:
    now = datetime.now(UTC)
    for minutes in (0, 0, 0, 0, 0, 1, 1, 2):
        saved(received_at=now - timedelta(minutes=minutes))
    everything = listed(limit=200)
    assert len(everything) == 8
    times = [messages.get(message_id).received_at for message_id in everything]
    assert times == sorted(times, reverse=True)
    for limit in (1, 2, 3, 7, 8):
        assert listed(limit=limit) == everything


def test_a_page_goes_on_where_it_was_though_messages_arrive_and_go(box: Mailbox) -> None:
    now = datetime.now(UTC)
    old = [saved(received_at=now - timedelta(minutes=minutes)) for minutes in range(4)]
    rows, cursor = messages.listing("1001", limit=2)
    assert [message.id for message in rows] == old[:2]
    saved(received_at=now + timedelta(minutes=1))
    messages.trash(old[1], actor="test")
    rows, cursor = messages.listing("1001", cursor=cursor, limit=2)
    assert [message.id for message in rows] == old[2:]
    assert cursor is None


def test_a_cursor_that_is_none_is_refused(box: Mailbox) -> None:
    def of(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode()

    some = new_id()
    for cursor in (
        "x",
        "é",
        "\0",
        "\ud800",
        "=" * 9,
        "A" * 10_000,
        of("yesterday|x"),
        of(f"2026-01-01T00:00:00|{some}"),
        of(f"2026-01-01T00:00:00+00:00|{some}\0"),
        of("2026-01-01T00:00:00+00:00|"),
        of(f"0001-01-01T00:00:00+14:00|{some}"),
        of(f"9999-12-31T23:59:59-14:00|{some}"),
    ):
        with pytest.raises(Invalid) as refused:
            messages.listing("1001", cursor=cursor)
        assert list(refused.value.fields) == ["cursor"]
    with pytest.raises(Invalid):
        messages.listing("1001", view="nothing")
    with pytest.raises(NotFound):
        messages.listing("9")


def test_the_version_changes_with_what_is_seen_and_only_then(box: Mailbox) -> None:
    mailboxes.create("2", pin="4711", actor="test")
    version = messages.inbox_version("1001")

    def changed(act: Callable[[], object]) -> bool:
        nonlocal version
        act()
        db.session.expire_all()
        before, version = version, messages.inbox_version("1001")
        return version != before

    mine = take()
    assert changed(lambda: messages.save_take(mine))
    assert not changed(lambda: messages.save_take(mine))
    assert changed(lambda: messages.mark(mine.id, "saved", actor="test"))
    assert not changed(lambda: messages.mark(mine.id, "saved", actor="test"))
    assert not changed(lambda: messages.restore(mine.id, actor="test"))
    assert changed(lambda: messages.trash(mine.id, actor="test"))
    assert not changed(lambda: messages.trash(mine.id, actor="test"))
    assert changed(lambda: messages.restore(mine.id, actor="test"))
    discarded = take(discarded=True)
    assert changed(lambda: messages.save_take(discarded))
    assert changed(lambda: messages.keep(discarded.id, actor="test"))
    assert not changed(lambda: messages.keep(discarded.id, actor="test"))
    assert changed(lambda: purge.purge(discarded.id))
    assert not changed(lambda: purge.purge(discarded.id))
    assert not changed(lambda: saved("2"))
    assert not changed(lambda: messages.listing("1001"))
    assert not changed(mailboxes.page)


@pytest.mark.parametrize("end", ["done", "failed", "pending", "skipped"])
def test_the_version_changes_with_the_state_of_a_delivery(box: Mailbox, end: str) -> None:
    upload = messages.get(saved()).deliveries[0].id
    versions = [messages.inbox_version("1001")]
    claim = outbox.claim(upload)
    assert claim is not None
    versions.append(messages.inbox_version("1001"))
    outbox.renew(claim)
    assert messages.inbox_version("1001") == versions[-1]
    outbox.finish(claim, outbox.Outcome(end))
    versions.append(messages.inbox_version("1001"))
    assert len(set(versions)) == 3


def test_the_audio_of_a_message_in_the_spool(box: Mailbox) -> None:
    mine = spooled(take())
    source = messages.open_audio(messages.save_take(mine))
    assert (source.size, source.sha256) == (len(AUDIO), mine.sha256)
    assert b"".join(source.blocks(5, 9)) == AUDIO[5:9]


def test_the_audio_of_a_message_in_the_store(box: Mailbox, any_app: Flask, tmp_path: Path) -> None:
    message = messages.save_take(take())
    (tmp_path / "audio").write_bytes(AUDIO)
    key = message_key(box.id, message.id)
    import hashlib

    open_store(any_app.extensions["settings"]).put(
        key, tmp_path / "audio", sha256=hashlib.sha256(AUDIO).hexdigest(), metadata={}
    )
    stale = messages.get(message.id)
    db.session.execute(update(Message).values(storage_key=key, spool_host=None))
    db.session.commit()
    assert b"".join(messages.open_audio(messages.get(message.id)).blocks()) == AUDIO
    # The upload moved it a moment after the row was read.
    db.session.expunge_all()
    stale = messages.get(message.id)
    stale.storage_key, stale.spool_host = None, any_app.extensions["settings"].host_name
    with db.session.no_autoflush:
        assert b"".join(messages.open_audio(stale).blocks()) == AUDIO


def test_the_audio_on_another_host_is_on_its_way(box: Mailbox) -> None:
    mine = spooled(take(host="another-host"))
    with pytest.raises(Unavailable) as refused:
        messages.open_audio(messages.save_take(mine))
    assert refused.value.retry_after > 0
    assert "on its way" in refused.value.message


def test_audio_that_is_nowhere_is_said_to_be_so(box: Mailbox) -> None:
    message = messages.save_take(take())
    with pytest.raises(Unavailable) as refused:
        messages.open_audio(message)
    assert "cannot be found" in refused.value.message


def test_known_ids_tell_what_the_spool_may_forget(box: Mailbox) -> None:
    owed, purged, stored, elsewhere = saved(), saved(), saved(), saved(host="another-host")
    discarded = saved(discarded=True)
    purge.purge(purged)
    db.session.execute(update(Message).where(Message.id == stored).values(storage_key="k", spool_host=None))
    db.session.commit()
    # What is said to lie elsewhere is here: it is not removed, but saved once more, which settles where it lies.
    asked = [owed, purged, stored, elsewhere, discarded, new_id(), *(new_id() for _ in range(1200))]
    assert messages.known_ids(asked) == {
        owed: SpoolFate.OWED,
        purged: SpoolFate.STORED,
        stored: SpoolFate.STORED,
        discarded: SpoolFate.OWED,
    }
    assert messages.known_ids([]) == {}


def test_a_host_that_got_another_name_keeps_its_recordings(box: Mailbox) -> None:
    mine = spooled(take(host="the-old-name"))
    messages.save_take(mine)
    assert messages.known_ids([mine.id]) == {}
    here = dataclasses.replace(mine, host=settings().host_name)
    for _ in range(2):
        messages.save_take(here)
        db.session.expire_all()
        message = messages.get(mine.id)
        assert message.spool_host == message.deliveries[0].target == settings().host_name
    assert [row.target for row in message.deliveries[1:]] == ["", ""]
    assert messages.known_ids([mine.id]) == {mine.id: SpoolFate.OWED}
    assert messages.open_audio(message).size == len(AUDIO)


def test_times_keep_their_microseconds_and_their_zone(box: Mailbox) -> None:
    tokyo = datetime.fromisoformat("2026-02-28T23:59:59.123456+09:00")
    message_id = saved(received_at=tokyo)
    db.session.expire_all()
    assert messages.get(message_id).received_at == tokyo
    assert messages.get(message_id).received_at.isoformat() == "2026-02-28T14:59:59.123456+00:00"


def test_another_process_sees_the_message(box: Mailbox, any_app: Flask, tmp_path: Path) -> None:
    message_id = saved()
    url = any_app.extensions["settings"].database_url
    other = create_app(make_settings(tmp_path / "other", DATABASE_URL=url, SECRET_KEY="a key of the test"))
    with other.app_context():
        try:
            assert messages.get(message_id).id == message_id
        finally:
            db.session.remove()
            db.engine.dispose()
