"""Fixtures of the tests with real peers."""

from tests.peers.fixtures import (
    instance,
    mailbox,
    pytest_runtest_makereport,
    start_kamailio,
    start_process,
    start_worker,
    worker,
)

__all__ = [
    "instance",
    "mailbox",
    "pytest_runtest_makereport",
    "start_kamailio",
    "start_process",
    "start_worker",
    "worker",
]
