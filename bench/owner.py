"""What owners wait for: the opening of a mailbox of 10,000 messages, and a hundred PINs at once: the part `owner`."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import insert

from app import create_app
from app.database import writing
from app.extensions import db
from app.models import Message
from app.services import mailboxes
from bench.load import percentile
from bench.servers import MAILBOX, environment, make_instance
from bench.table import show
from bench.verdict import Line
from voice.errors import KeeperAway
from voice.keeper_client import KeeperClient
from voice.mailbox import snapshot_path
from voice.owner import Messages
from voice.owner_client import OwnerClient

MESSAGES = 10_000
OPENINGS = 50
PIN = "4711"
CALLERS = 100
READY_SECONDS = 60.0


@dataclass(frozen=True)
class Storm:
    """Callers who typed their PIN at once. seconds: until the last was answered; look_ups: ms that each look-up of a
    mailbox took meanwhile."""

    callers: int
    admitted: int
    seconds: float
    look_ups: list[float]


def measure(folder: Path) -> list[Line]:
    """The part `owner`."""
    env = environment(folder / "instance")
    mailbox_id = fill(env)
    with keeper(env) as client:
        openings = open_mailbox(client, mailbox_id)
        storm = check_pins(client)
    show(
        f"A mailbox of {MESSAGES:,} messages: counts, the first page of ids, the first message",
        ["", "times", "p50 ms", "p95 ms", "longest ms"],
        [_row("opened", openings)],
    )
    show(
        f"{storm.callers} PINs at once, and mailboxes looked up meanwhile",
        ["", "times", "p50 ms", "p95 ms", "longest ms"],
        [_row("look-up", storm.look_ups)],
    )
    print(f"\n  {storm.admitted} admitted, the last after {storm.seconds:.1f} s")
    return [
        Line(f"a mailbox of {MESSAGES:,} messages opened, p95", percentile(openings, 95), 200, unit="ms"),
        Line("PINs of callers at once that were checked", storm.admitted, CALLERS, more=True),
        Line("a mailbox looked up while PINs are checked, p95", percentile(storm.look_ups, 95), 200, 50, unit="ms"),
    ]


def fill(env: Mapping[str, str]) -> str:
    """An instance whose mailbox holds MESSAGES new messages; the mailbox's id."""
    settings = make_instance(env)
    began = datetime(2026, 11, 1, tzinfo=UTC)
    with create_app(settings).app_context():
        mailbox_id = mailboxes.get(MAILBOX).id
        usual = {"mailbox_id": mailbox_id, "size": 16_058, "sha256": "", "duration": 2.0, "state": "new"}
        rows = [
            {
                **usual,
                "id": str(uuid.uuid4()),
                "received_at": began + timedelta(seconds=number),
                "urgent": number % 50 == 0,
                "created_at": began,
            }
            for number in range(MESSAGES)
        ]
        with writing():
            db.session.execute(insert(Message), rows)
        db.session.remove()
        db.engine.dispose()
    return mailbox_id


@contextmanager
def keeper(env: Mapping[str, str]) -> Iterator[KeeperClient]:
    """A keeper of the instance that `env` names, as a voice worker starts it."""
    client = KeeperClient(snapshot_path(Path(env["VOICEMAIL_INSTANCE"])))
    with patch.dict(os.environ, env, clear=True):
        client.start()
        if not client.wait_ready(READY_SECONDS, lambda: False):
            raise RuntimeError("the keeper did not start")
    try:
        yield client
    finally:
        client.stop()


def open_mailbox(client: KeeperClient, mailbox_id: str) -> list[float]:
    """OPENINGS times what an owner waits for between the PIN and the first message; ms, sorted."""
    owners = OwnerClient(client)
    times = []
    for _ in range(OPENINGS + 1):
        began = time.perf_counter()
        owners.counts(mailbox_id)
        first, *_ = owners.message_ids(mailbox_id, Messages.NEW)
        owners.message(mailbox_id, first)
        times.append((time.perf_counter() - began) * 1000)
    # What a process does only once, such as compiling its statements, is not what owners wait for.
    return sorted(times[1:])


def check_pins(client: KeeperClient, callers: int = CALLERS) -> Storm:
    """So many callers type the PIN of MAILBOX at the same moment, while mailboxes are looked up."""
    owners = OwnerClient(client)
    over = threading.Event()
    look_ups: list[float] = []

    def look_up() -> None:
        while not over.is_set():
            began = time.perf_counter()
            client.find_mailbox([MAILBOX])
            look_ups.append((time.perf_counter() - began) * 1000)
            over.wait(0.01)

    def log_in(number: int) -> bool:
        try:
            return owners.log_in(MAILBOX, PIN, f"{number}@bench") is not None
        except KeeperAway:
            return False

    began = time.perf_counter()
    with ThreadPoolExecutor(callers + 1) as pool:
        pool.submit(look_up)
        try:
            admitted = sum(pool.map(log_in, range(callers)))
        finally:
            over.set()
    return Storm(callers, admitted, time.perf_counter() - began, sorted(look_ups))


def _row(name: str, times: list[float]) -> list[str]:
    return [name, str(len(times)), *(f"{percentile(times, part):.1f}" for part in (50, 95)), f"{times[-1]:.1f}"]
