"""The desk between subscriptions and the keeper: nothing is lost while the keeper is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.services import mailboxes, subscriptions
from tests.peers.instance import Instance
from tests.support import until
from voice import keeper_client
from voice.keeper_client import KeeperClient
from voice.mailbox import MessageCounts, snapshot_path
from voice.media.loop import MediaLoop
from voice.message_waiting import MAX_QUESTIONS, MessageWaitingDesk
from voice.sip import Phone, SipError

pytestmark = pytest.mark.slow
Answer = MessageCounts | SipError | None


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = Instance(tmp_path / "instance")
    made.mailbox("7001")
    return made


@pytest.fixture
def keeper(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeeperClient]:
    """One that is not started yet."""
    for name, value in instance.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(keeper_client, "LOOK_UP_SECONDS", 60.0)
    monkeypatch.setattr(keeper_client, "SAVE_SECONDS", 60.0)
    client = KeeperClient(snapshot_path(instance.folder))
    yield client
    client.stop()


@pytest.fixture
def phone() -> Iterator[Phone]:
    """One without a network: its subscriptions are used in the thread of the test and of the desk."""
    loop = MediaLoop()
    loop.start()
    made = Phone(host="127.0.0.1", port=1, rtp_ports=(10000, 10001), loop=loop, on_call=print)
    yield made
    made.sip.stop()
    loop.stop()


def row(key: str, mailbox_id: str) -> dict[str, Any]:
    return {"key": key, "mailbox_id": mailbox_id, "expires_at": time.time() + 600, "dialog": {}}


def test_what_the_keeper_could_not_do_is_done_when_it_is_back(
    instance: Instance, keeper: KeeperClient, phone: Phone
) -> None:
    heard: list[Answer] = []
    desk = MessageWaitingDesk(keeper, phone.subscriptions, lambda callback: callback(), instance.settings.sip.port)
    with instance.app.app_context():
        mailbox_id = mailboxes.get("7001").id
    desk.keep("first", row("first", mailbox_id))
    desk.keep("second", row("second", mailbox_id))
    desk.keep("second", None)
    assert desk.find(["7001"], heard.append)
    desk.start()
    until(lambda: heard, 15, "an answer")
    assert isinstance(heard[0], SipError)
    assert heard[0].status == 503
    keeper.start()
    until(lambda: _held(instance) == 1, 60, "the row of the first one")
    assert phone.subscriptions.restored
    for users in (["+7001"], ["alice", "7001"], ["alice"], ["7999"]):
        assert desk.find(users, heard.append)
    until(lambda: len(heard) == 5, 60, "the answers")
    counts = MessageCounts(mailbox_id, "7001", 0, 0, 0, 0)
    assert heard[1:] == [counts, counts, None, None]
    desk.keep("first", None)
    desk.stop()
    assert _held(instance) == 0


def test_too_many_questions_are_refused(instance: Instance, keeper: KeeperClient, phone: Phone) -> None:
    desk = MessageWaitingDesk(keeper, phone.subscriptions, lambda callback: callback(), 5060)
    assert all(desk.find(["7001"], print) for _ in range(MAX_QUESTIONS))
    assert not desk.find(["7001"], print)


def _held(instance: Instance) -> int:
    with instance.app.app_context():
        return len(subscriptions.held_by(instance.settings.host_name))
