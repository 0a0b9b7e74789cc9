"""Message waiting: counts, subscriptions that are kept, announcements through Redis."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path

import pytest

from app import create_app
from app.extensions import db
from app.models import Mailbox, Message, Subscription
from app.models.base import utc_now
from app.services import inbox, mailboxes, subscriptions
from app.services.subscriptions import Counts, Held
from tests.jobs.valkey_server import ValkeyServer
from tests.support import make_settings, until


def add(box: Mailbox, state: str, urgent: bool = False, **more: object) -> None:
    db.session.add(
        Message(
            mailbox_id=box.id, state=state, urgent=urgent, received_at=utc_now(), duration=1, size=1, sha256="", **more
        )
    )
    db.session.commit()


def test_what_is_counted(box: Mailbox) -> None:
    assert subscriptions.find(["1001"]) == Counts(box.id, "1001")
    for state, urgent in (("new", False), ("new", True), ("new", True), ("saved", False), ("saved", True)):
        add(box, state, urgent)
    add(box, "new", deleted_at=utc_now())
    add(box, "saved", purged_at=utc_now())
    add(box, "discarded")
    wanted = Counts(box.id, "1001", new=3, saved=2, urgent_new=2, urgent_saved=1)
    assert subscriptions.counts([box.id, "no-such-box"]) == [wanted]
    assert subscriptions.find(["", "x", "9999", "1001"]) == wanted
    mailboxes.delete("1001", confirm="1001", actor="test")
    assert subscriptions.counts([box.id]) == []
    assert subscriptions.find(["1001"]) is None


def test_subscriptions_are_kept_until_they_end_or_expire(box: Mailbox) -> None:
    now = time.time()
    rows = [Held(f"call-{number};tag", box.id, now + 60 + number, {"number": number}) for number in range(3)]
    long = Held("x" * 5000, box.id, now + 100, {"from": "\udcff"})
    subscriptions.save("here", [*rows, long, Held("gone", "no-such-box", now + 60, {})], [])
    subscriptions.save("there", [Held("other", box.id, now + 60, {})], [])
    found = subscriptions.held_by("here")
    assert [row["dialog"] for row in found] == [{"number": 0}, {"number": 1}, {"number": 2}, {"from": "\udcff"}]
    assert found[0]["expires_at"] == pytest.approx(now + 60, abs=0.01)
    subscriptions.save(
        "here", [Held(rows[0].key, box.id, now - 1, {}), Held(rows[1].key, box.id, now + 9, {"n": 5})], []
    )
    subscriptions.save("here", [], [rows[2].key, "unknown"])
    assert [row["dialog"] for row in subscriptions.held_by("here")] == [{"n": 5}, {"from": "\udcff"}]
    assert len(subscriptions.held_by("there")) == 1
    assert db.session.query(Subscription).count() == 3


def test_announcements_are_heard_and_a_gap_is_said(tmp_path: Path) -> None:
    server = ValkeyServer()
    server.start()
    application = create_app(make_settings(tmp_path, REDIS_URL=server.url), portal=False)
    heard: list[str | None] = []
    stopping = threading.Event()
    listening = threading.Thread(
        target=lambda: deque(map(heard.append, subscriptions.announcements(server.url, stopping.is_set)), 0)
    )
    listening.start()

    def announce() -> bool:
        with application.app_context():
            return inbox.tell_lamps("box")

    try:
        until(lambda: heard == [None], 15, "the first line")
        until(announce, 15, "Redis that takes it")
        until(lambda: heard == [None, "box"], 15, "the announcement")
        server.stop()
        assert not announce()
        server.start()
        until(lambda: heard == [None, "box", None], 30, f"the gap, not {heard}")
        until(announce, 15, "Redis that takes it")
        until(lambda: heard[-1] == "box", 15, "the announcement")
    finally:
        stopping.set()
        listening.join()
        server.stop()
