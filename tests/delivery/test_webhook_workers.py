"""The real job processes: a receiver that hangs holds up the calls of no other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.services import mailboxes
from tests.conftest import leave_message, running_valkey
from tests.delivery.hooked import lanes, own_webhook
from tests.net.receivers import hang, receiving, reply
from tests.peers.instance import Instance, Process
from tests.support import until

HANGING, ANSWER_SECONDS = 12, 2.0


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    """With a worker and a relay. Its webhooks may be on this host, and get 2 s for an answer."""
    with ExitStack() as stack:
        instance = Instance(
            tmp_path / "instance",
            REDIS_URL=stack.enter_context(running_valkey()),
            VOICEMAIL__WEBHOOK__ALLOWED_NETWORKS="127.0.0.0/8",
            VOICEMAIL__WEBHOOK__TIMEOUT_SECONDS=str(ANSWER_SECONDS),
            VOICEMAIL__DELIVERY__RELAY_SECONDS="0.2",
        )
        for name in ("worker", "relay"):
            process = Process(instance, "app.jobs", name)
            stack.callback(process.stop)
        yield instance


def test_one_that_hangs_holds_up_no_other(instance: Instance) -> None:
    with receiving(hang) as slow, receiving(reply(200)) as quick, instance.app.app_context():
        for extension, receiver in (("1001", slow), ("1002", quick)):
            mailboxes.create(extension, pin="4711", actor="test")
            own_webhook(extension, receiver.url())
        for _ in range(HANGING):
            leave_message(instance.app, "1001", uploaded=False)
        until(lambda: slow.requests, 60, "the first call of the one that hangs")
        until(lanes, 30, "it ran out of time")
        called = len(slow.requests)
        for _ in range(3):
            leave_message(instance.app, "1002", uploaded=False)
        # One after the other, all of those that hang would take longer than this.
        until(lambda: len(quick.requests) == 3, (HANGING - 2) * ANSWER_SECONDS / 2, "the calls of the other")
        assert len(slow.requests) <= called + 2
