"""E-mail by the real worker processes: at once, and again after a kill."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.extensions import db
from app.models import Delivery
from app.services import mailboxes
from tests.conftest import PIN, leave_message
from tests.delivery.mail_server import HOST, Handler, read
from tests.peers.instance import Instance, Process
from tests.support import until

pytestmark = pytest.mark.slow
ADDRESS = "anna@example.com"
MESSAGES = 20
# A mail takes some milliseconds and is to be there within a second; a busy machine may need longer.
LONGEST_SECONDS = 10.0


class Site:
    """Job workers and relay of an instance whose mailbox 1001 is mailed to one address."""

    def __init__(self, folder: Path, redis_url: str, port: int) -> None:
        self.instance = Instance(
            folder,
            REDIS_URL=redis_url,
            VOICEMAIL__SMTP__HOST=HOST,
            VOICEMAIL__SMTP__PORT=str(port),
            VOICEMAIL__SMTP__USE_TLS="false",
            VOICEMAIL__DELIVERY__LEASE_SECONDS="2",
            VOICEMAIL__DELIVERY__RELAY_SECONDS="0.1",
        )
        with self.instance.app.app_context():
            mailboxes.create("1001", pin=PIN, email=ADDRESS, options=None, actor="test")

    def leave(self) -> str:
        with self.instance.app.app_context():
            return leave_message(self.instance.app, "1001", uploaded=False)

    def mails(self) -> list[Delivery]:
        """The deliveries by e-mail as they are now, detached."""
        with self.instance.app.app_context():
            found = db.session.scalars(db.select(Delivery).where(Delivery.kind == "email")).all()
            db.session.expunge_all()
            return list(found)


@pytest.fixture
def site(tmp_path: Path, valkey: str, mail_server: tuple[Handler, int]) -> Iterator[tuple[Site, Process]]:
    with ExitStack() as stack:
        site = Site(tmp_path / "site", valkey, mail_server[1])
        worker, relay = (Process(site.instance, "app.jobs", name) for name in ("worker", "relay"))
        for process in (worker, relay):
            stack.callback(process.stop)
        yield site, worker


def test_mails_go_out_as_messages_come(site: tuple[Site, Process], mail_server: tuple[Handler, int]) -> None:
    (here, _), (handler, _) = site, mail_server
    here.leave()
    until(lambda: handler.mails, 60, "the first mail, which waits for the workers to start")
    times = []
    for number in range(MESSAGES):
        began = time.monotonic()
        here.leave()
        until(lambda wanted=number + 2: len(handler.mails) == wanted, LONGEST_SECONDS, "a mail")
        times.append(time.monotonic() - began)
    times.sort()
    print(f"from before the commit to the mail taken: median {times[len(times) // 2]:.3f} s, p95 {times[-2]:.3f} s")
    assert len({mail["Message-ID"] for mail in handler.parsed()}) == MESSAGES + 1
    until(lambda: {row.state for row in here.mails()} == {"done"}, LONGEST_SECONDS, "the outcomes")


def test_a_worker_that_is_killed_in_the_middle_sends_it_again(
    site: tuple[Site, Process], mail_server: tuple[Handler, int]
) -> None:
    (here, worker), (handler, _) = site, mail_server
    handler.free.clear()
    here.leave()
    until(lambda: len(handler.offered) == 1, 60, "a mail that the server has not taken yet")
    for pid in worker.children():
        os.kill(pid, signal.SIGKILL)
    handler.free.set()
    until(lambda: [row.state for row in here.mails()] == ["done"], 60, "another worker to send it")
    # Whether the server took the first as well depends on when it learns that its client has died.
    first, second = (read(envelope) for envelope in handler.offered)
    assert first["Message-ID"] == second["Message-ID"]
    assert here.mails()[0].attempts == 2
