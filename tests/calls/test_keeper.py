"""The keeper process over its socket: what a voice worker asks of it, and what survives its end."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from app.extensions import db
from app.models import Call, Delivery
from app.services import calls, mailboxes
from tests.calls.spooled import finished
from tests.peers.instance import Instance
from tests.support import until
from voice import helper_process, keeper_client
from voice.errors import KeeperAway
from voice.keeper_client import KeeperClient
from voice.mailbox import find_in_snapshot, snapshot_path
from voice.twiml.ledger import KeeperLedger
from voice.twiml.trace import VERB, CallState, Entry

pytestmark = pytest.mark.slow

EXTENSION = "7001"
START_SECONDS = 60.0


@pytest.fixture
def instance(tmp_path: Path, valkey: str) -> Instance:
    """An instance with one mailbox."""
    made = Instance(tmp_path / "instance", REDIS_URL=valkey)
    made.mailbox(EXTENSION)
    return made


@pytest.fixture
def start_keeper(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], KeeperClient]]:
    """Start a keeper of the instance, and wait until it answers."""
    started: list[KeeperClient] = []
    for name, value in instance.environment.items():
        monkeypatch.setenv(name, value)
    # A busy machine may be slower than a caller's patience.
    monkeypatch.setattr(keeper_client, "LOOK_UP_SECONDS", START_SECONDS)
    monkeypatch.setattr(keeper_client, "SAVE_SECONDS", START_SECONDS)

    def start() -> KeeperClient:
        client = KeeperClient(snapshot_path(instance.folder))
        started.append(client)
        client.start()
        assert client.wait_ready(START_SECONDS, lambda: False)
        return client

    yield start
    for client in started:
        client.stop()
        assert process_of(client).poll() is not None, "the keeper is still there"


def process_of(client: KeeperClient) -> subprocess.Popen[bytes]:
    """The keeper's process."""
    assert client._process is not None
    return client._process


def take_away(instance: Instance) -> None:
    """Put something that is no database in its place."""
    with instance.app.app_context():
        db.engine.dispose()
    for path in instance.folder.glob("voicemail.db*"):
        path.rename(instance.folder / f"aside-{path.name}")
    (instance.folder / "voicemail.db").mkdir()


def bring_back(instance: Instance) -> None:
    (instance.folder / "voicemail.db").rmdir()
    for path in instance.folder.glob("aside-*"):
        path.rename(instance.folder / path.name.removeprefix("aside-"))


def deliveries(instance: Instance) -> int:
    with instance.app.app_context():
        return db.session.query(Delivery).count()


def test_it_finds_mailboxes(instance: Instance, start_keeper: Callable[[], KeeperClient]) -> None:
    instance.mailbox("7002")
    keeper = start_keeper()
    found = keeper.find_mailbox(["9999", "7002", EXTENSION])
    assert found is not None
    assert (found.extension, found.language, found.timezone, found.greeting) == ("7002", "en", "UTC", None)
    assert keeper.find_mailbox(["9999"]) is None
    assert keeper.find_mailbox([]) is None
    for strange in ("\0", "é", "x" * 5000, "' OR 1=1 --"):
        assert keeper.find_mailbox([strange]) is None
    with instance.app.app_context():
        mailboxes.delete("7002", confirm="7002", actor="test")
    assert keeper.find_mailbox(["7002"]) is None


def test_a_finished_take_becomes_a_message_once(instance: Instance, start_keeper: Callable[[], KeeperClient]) -> None:
    keeper = start_keeper()
    entry = finished(instance, EXTENSION)
    assert keeper.save(entry.id)
    assert keeper.save(entry.id)
    entry.close()
    message = instance.message(EXTENSION)
    assert (message.id, message.state, message.size) == (entry.id, "new", entry.sidecar.size)
    assert deliveries(instance) == 3


def test_a_take_that_is_not_there_is_not_saved(instance: Instance, start_keeper: Callable[[], KeeperClient]) -> None:
    keeper = start_keeper()
    for take_id in ("00000000-0000-4000-8000-000000000000", "", "../../etc/passwd", "\0"):
        assert not keeper.save(take_id)
    # It goes on serving, and a take that nobody can save is not in the way of the next one.
    entry = finished(instance, EXTENSION)
    assert keeper.save(entry.id)
    entry.close()


def test_the_snapshot_decides_while_the_database_is_away(
    instance: Instance, start_keeper: Callable[[], KeeperClient]
) -> None:
    first = start_keeper()
    snapshot = snapshot_path(instance.folder)
    until(lambda: find_in_snapshot(snapshot, [EXTENSION]), 20, "the snapshot knows the mailbox")
    first.stop()
    entry = finished(instance, EXTENSION)
    take_away(instance)
    keeper = start_keeper()
    found = keeper.find_mailbox(["9999", EXTENSION])
    assert found is not None
    assert found.extension == EXTENSION
    with pytest.raises(KeeperAway):
        keeper.find_mailbox(["9999"])
    assert not keeper.save(entry.id)
    bring_back(instance)
    # It is owed, and follows by itself.
    assert instance.message(EXTENSION, 30).id == entry.id
    until(lambda: not _answers_away(keeper), 20, "the database answers again")
    entry.close()


def _answers_away(keeper: KeeperClient) -> bool:
    try:
        return keeper.find_mailbox(["9999"]) is not None
    except KeeperAway:
        return True


def test_owed_takes_follow_though_one_of_them_cannot(
    instance: Instance, start_keeper: Callable[[], KeeperClient]
) -> None:
    entries = [finished(instance, EXTENSION) for _ in range(3)]
    # No mailbox has this id: the database will refuse it for good.
    poison = finished(instance, EXTENSION, mailbox_id="00000000-0000-4000-8000-000000000000")
    take_away(instance)
    keeper = start_keeper()
    for entry in (poison, *entries):
        assert not keeper.save(entry.id)
    bring_back(instance)
    until(lambda: len(instance.messages(EXTENSION)) == 3, 30, "all owed takes are messages")
    assert {message.id for message in instance.messages(EXTENSION)} == {entry.id for entry in entries}
    for entry in (poison, *entries):
        # What could not be saved is still there for people to look at.
        assert entry.wav.exists()
        entry.close()


def test_a_killed_keeper_is_started_again(instance: Instance, start_keeper: Callable[[], KeeperClient]) -> None:
    keeper = start_keeper()
    first = process_of(keeper)
    entry = finished(instance, EXTENSION)
    os.kill(first.pid, signal.SIGKILL)
    # In the moment of its death nothing hangs and nothing is lost.
    keeper.save(entry.id)
    entry.close()
    assert keeper.wait_ready(START_SECONDS, lambda: False)
    assert process_of(keeper).pid != first.pid
    assert first.poll() is not None
    assert keeper.save(entry.id)
    assert instance.message(EXTENSION).id == entry.id


def test_what_a_killed_keeper_owed_is_adopted_by_the_next(
    instance: Instance, start_keeper: Callable[[], KeeperClient]
) -> None:
    entry = finished(instance, EXTENSION)
    take_away(instance)
    keeper = start_keeper()
    assert not keeper.save(entry.id)
    entry.close()
    os.kill(process_of(keeper).pid, signal.SIGKILL)
    bring_back(instance)
    assert instance.message(EXTENSION, 30).id == entry.id
    assert deliveries(instance) == 3


def test_signals_do_not_end_it(instance: Instance, start_keeper: Callable[[], KeeperClient]) -> None:
    """Ctrl-C at a terminal reaches all processes; the keeper commits the last takes before it ends."""
    keeper = start_keeper()
    process = process_of(keeper)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(process.pid, number)
    entry = finished(instance, EXTENSION)
    assert keeper.save(entry.id)
    entry.close()
    assert process_of(keeper).pid == process.pid
    keeper.stop()
    assert process.returncode == 0


def test_the_heartbeat_is_in_valkey_and_ends_with_the_worker(
    instance: Instance, valkey: str, start_keeper: Callable[[], KeeperClient]
) -> None:
    keeper = start_keeper()
    key, state = "voicemail:worker:host:5060", {"host": "host", "state": "ready"}
    keeper.heartbeat(key, state)
    with redis.Redis.from_url(valkey) as live:
        until(lambda: live.get(key), 10, "the heartbeat")
        assert json.loads(live.get(key)) == state | {"calls": 0, "states": {}}
        assert 0 < live.ttl(key) <= 15
        keeper.heartbeat(key, state | {"state": "draining"})
        until(lambda: json.loads(live.get(key))["state"] == "draining", 10, "the next heartbeat")
        keeper.stop()
        assert live.keys("voicemail:*:host:5060") == []


def test_a_keeper_that_was_never_started_is_away(tmp_path: Path) -> None:
    keeper = KeeperClient(tmp_path / "snapshot.json")
    keeper.heartbeat("key", {})
    assert not keeper.save("00000000-0000-4000-8000-000000000000")
    with pytest.raises(KeeperAway):
        keeper.find_mailbox([EXTENSION])
    keeper.stop()


def test_a_keeper_that_reads_no_more_holds_nobody_up_and_is_replaced(
    instance: Instance, start_keeper: Callable[[], KeeperClient]
) -> None:
    keeper = start_keeper()
    first = process_of(keeper)
    os.kill(first.pid, signal.SIGSTOP)

    def replaced() -> bool:
        # More than its socket holds; none of it raises, and none of it waits for ever.
        keeper.heartbeat("key", {"filler": "x" * 500_000})
        return process_of(keeper).pid != first.pid

    until(replaced, START_SECONDS, "another keeper")
    assert keeper.wait_ready(START_SECONDS, lambda: False)
    assert keeper.find_mailbox([EXTENSION]) is not None


def test_a_keeper_that_cannot_be_started_is_started_later(
    instance: Instance, start_keeper: Callable[[], KeeperClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, refused = subprocess.Popen, iter([OSError(errno.EAGAIN, "no process"), OSError(errno.EMFILE, "no file")])

    def popen(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        if (error := next(refused, None)) is not None:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(helper_process.subprocess, "Popen", popen)
    keeper = start_keeper()
    assert keeper.find_mailbox([EXTENSION]) is not None


def test_a_worker_that_dies_in_the_middle_of_a_line_leaves_no_keeper(
    instance: Instance, start_keeper: Callable[[], KeeperClient]
) -> None:
    keeper = start_keeper()
    first, channel = process_of(keeper), keeper._channel
    assert channel is not None
    # Nobody is left who would kill it.
    keeper._stopping.set()
    channel.sendall(b'{"id": 1, "ask"')
    channel.shutdown(socket.SHUT_WR)
    assert first.wait(START_SECONDS) == 0


def test_a_heartbeat_to_a_keeper_that_just_died_raises_nothing(tmp_path: Path) -> None:
    keeper = KeeperClient(tmp_path / "snapshot.json")
    ours, theirs = socket.socketpair()
    keeper._channel = ours
    theirs.close()
    keeper.heartbeat("key", {})
    keeper.stop()
    ours.close()


def test_traces_are_written_also_when_the_database_was_away(
    instance: Instance, start_keeper: Callable[[], KeeperClient]
) -> None:
    keeper = start_keeper()
    sid = "CA" + "0" * 32
    teller = KeeperLedger(keeper.tell)
    state = CallState(sid, "", "+15551234", "1000", "ringing", "2026-01-05T10:00:00+00:00")
    entry = Entry(sid, 0, VERB, "Play", "2026-01-05T10:00:01+00:00")

    def written() -> tuple[str, list[str]]:
        with instance.app.app_context():
            call = db.session.get(Call, sid)
            return (call.status if call else ""), [step.outcome for step in calls.steps(sid)]

    teller.call(state)
    teller.entry(entry)
    until(lambda: written() == ("ringing", [""]))
    take_away(instance)
    teller.entry(replace(entry, outcome="played"))
    teller.entry(replace(entry, position=1))
    teller.call(replace(state, status="completed"))
    bring_back(instance)
    until(lambda: written() == ("completed", ["played", ""]), timeout=30)
    # What is told last is written before a keeper ends.
    teller.entry(replace(entry, position=2))
    keeper.stop()
    assert written()[1] == ["played", "", ""]
