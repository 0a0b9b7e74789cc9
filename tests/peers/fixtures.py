"""Fixtures of all tests with real processes: a voice worker, mailboxes, and the logs with every failure."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.peers.instance import Instance, Process, VoiceWorker
from tests.peers.kamailio import Kamailio

LOG_TAIL = 6000
_numbers = count(7001)


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Instance:
    """The instance that most tests share; each makes mailboxes of its own."""
    return Instance(tmp_path_factory.mktemp("instance"))


@pytest.fixture(scope="session")
def worker(instance: Instance) -> Iterator[VoiceWorker]:
    """A voice worker that is ready for calls."""
    process = VoiceWorker(instance)
    try:
        yield process.wait_ready()
    finally:
        code = process.stop()
    assert code == 0, process.text()[-LOG_TAIL:]
    assert "Traceback" not in process.text(), process.text()[-LOG_TAIL:]


@pytest.fixture
def mailbox(instance: Instance) -> str:
    """A mailbox that no other test uses: its extension."""
    return instance.mailbox(str(next(_numbers)))


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., VoiceWorker]]:
    """Start a worker with settings of its own, on an instance of its own or on a given one."""
    started: list[VoiceWorker] = []

    def start(instance: Instance | None = None, *arguments: str, **variables: str) -> VoiceWorker:
        place = instance or Instance(tmp_path / f"instance{len(started)}", **variables)
        started.append(VoiceWorker(place, *arguments))
        return started[-1].wait_ready()

    start.started = started  # type: ignore[attr-defined]
    yield start
    for process in started:
        process.stop()


@pytest.fixture
def start_process() -> Iterator[Callable[..., Process]]:
    """Start `python -m ...` for an instance; all are stopped at the end."""
    started: list[Process] = []

    def start(instance: Instance, *arguments: str) -> Process:
        started.append(Process(instance, *arguments))
        return started[-1]

    start.started = started  # type: ignore[attr-defined]
    yield start
    for process in started:
        if process.popen.poll() is None:
            process.stop()


@pytest.fixture
def start_kamailio(tmp_path: Path) -> Iterator[Callable[[str], Kamailio]]:
    """Start a Kamailio with a configuration (see Kamailio); all are stopped at the end."""
    started: list[Kamailio] = []

    def start(text: str) -> Kamailio:
        started.append(Kamailio(tmp_path / f"kamailio{len(started)}", text))
        return started[-1]

    start.started = started  # type: ignore[attr-defined]
    yield start
    for kamailio in started:
        kamailio.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Show the logs of all processes that a failed test used."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for value in getattr(item, "funcargs", {}).values():
        processes = [value] if isinstance(value, Process) else getattr(value, "started", [])
        for process in processes:
            report.sections.append((f"log of {process.log.name}", process.text()[-LOG_TAIL:]))
