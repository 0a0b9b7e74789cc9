"""The real processes: `python -m app.jobs worker` and `relay` on a real Valkey, killed and stopped at will."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.jobs import queue
from app.storage import cache
from tests.jobs.owed import CONTENT, message_of, owe, row, settings_of
from tests.jobs.valkey_server import ValkeyServer
from tests.support import until

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 40
# A stop takes 3 s at most; a busy machine may need longer, a stop that waits for the job never ends.
STOP_SECONDS = 30


class Process:
    """`python -m app.jobs NAME` with its log in a file."""

    def __init__(self, name: str, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "app.jobs", name], cwd=ROOT, env=environment, stdout=out, stderr=out
            )

    def said(self, text: str) -> bool:
        return text in self.log.read_text()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.popen.terminate()
        return self.popen.wait(STOP_SECONDS)

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()

    def children(self) -> list[int]:
        return children_of(self.popen.pid)


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def server(app) -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    app.extensions["settings"] = replace(settings_of(app), redis_url=server.url)
    queue._outage.ended()
    yield server
    queue._outage.ended()
    server.close()


@pytest.fixture
def start(app, server, tmp_path) -> Iterator[Callable[..., Process]]:
    """Start a process that uses the same instance folder, database and Valkey as the application `app`."""
    settings, started = settings_of(app), []

    def start(name: str, **variables: str) -> Process:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VOICEMAIL")} | {
            "VOICEMAIL_INSTANCE": str(settings.instance),
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": server.url,
            "SECRET_KEY": "a key of the test",
            "VOICEMAIL__HOST_NAME": settings.host_name,
            "VOICEMAIL__SPOOL_DIR": str(settings.spool_dir),
            "VOICEMAIL__STORAGE__FOLDER": str(settings.storage.folder),
            "VOICEMAIL__DELIVERY__LEASE_SECONDS": "2",
            "VOICEMAIL__DELIVERY__RELAY_SECONDS": "0.1",
            "VOICEMAIL__DELIVERY__RETRY_FIRST_SECONDS": "0.2",
            **variables,
        }
        started.append(Process(name, environment, tmp_path / f"{name}.log"))
        return started[-1]

    yield start
    for process in started:
        process.close()


def enqueue(app, message_id: str) -> bool:
    with app.app_context():
        return queue.enqueue_deliveries([queue.Due.of(row(app, message_id))]) == 1


def wait_uploaded(app, message_id: str) -> None:
    until(lambda: row(app, message_id).state == "done", START_SECONDS, f"{message_id} is uploaded")
    settings, message = settings_of(app), message_of(app, message_id)
    assert (settings.storage.folder / "objects" / message.storage_key).read_bytes() == CONTENT
    until(lambda: not list(settings.spool_dir.glob(f"{message_id}*")), 10, "the spool files are gone")


def worker_processes(app) -> int:
    """How many processes serve the queues of a host."""
    return sum(crew.workers for crew in queue.queues_of_host(settings_of(app)))


def test_a_saved_take_is_uploaded_and_its_spool_files_go(app, server, start):
    server.start()
    start("worker")
    message_id = owe(app)
    assert enqueue(app, message_id)
    wait_uploaded(app, message_id)


def test_what_nobody_heard_for_a_week_leaves_the_cache_of_this_host(app, server, start):
    server.start()
    old = cache.folder_of(settings_of(app)) / "ab" / "abcd"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"purged by another host")
    os.utime(old, (1, time.time() - cache.UNHEARD_SECONDS - 60))
    start("worker")
    until(lambda: not old.exists(), START_SECONDS, "the cache is swept")


def test_redis_away_at_the_save_and_at_the_start(app, server, start):
    worker, relay = start("worker"), start("relay")
    message_id = owe(app)
    assert not enqueue(app, message_id)
    each = worker_processes(app)
    until(lambda: worker.log.read_text().count("Redis is away") == each, START_SECONDS, "all workers say it")
    until(lambda: relay.said("Redis takes no jobs"), START_SECONDS, "the relay says that Redis is away")
    assert (worker.popen.poll(), relay.popen.poll()) == (None, None)
    server.start()
    wait_uploaded(app, message_id)
    assert worker.log.read_text().count("Redis is away") == each
    assert "Traceback" not in worker.log.read_text() + relay.log.read_text()


def test_redis_that_goes_and_comes_back_is_one_line_each(app, server, start):
    server.start()
    worker, relay = start("worker"), start("relay")
    first = owe(app)
    wait_uploaded(app, first)
    server.stop()
    each = worker_processes(app)
    until(lambda: worker.log.read_text().count("Redis is away") == each, START_SECONDS, "all workers say it")
    second = owe(app)
    until(lambda: relay.said("Redis takes no jobs"), START_SECONDS, "the relay says it")
    server.start()
    wait_uploaded(app, second)
    until(lambda: worker.log.read_text().count("Redis is back") == each, START_SECONDS, "all workers are back")
    log = worker.log.read_text() + relay.log.read_text()
    assert "Traceback" not in log
    assert log.count("Redis is away") == each
    assert log.count("Redis takes no jobs") == 1


def test_a_worker_killed_in_the_middle_of_an_upload(app, server, start):
    server.start()
    # A disk that never answers: opening the pipe blocks until someone writes to it.
    message_id = owe(app)
    wav = settings_of(app).spool_dir / f"{message_id}.wav"
    wav.unlink()
    os.mkfifo(wav)
    worker = start("worker")
    assert enqueue(app, message_id)
    until(lambda: row(app, message_id).state == "running", START_SECONDS, "the upload runs")
    family = [child for parent in worker.children() for child in [parent, *children_of(parent)]]
    for pid in [worker.popen.pid, *family]:
        os.kill(pid, signal.SIGKILL)
    worker.popen.wait(10)
    wav.unlink()
    wav.write_bytes(CONTENT)
    start("relay")
    start("worker")
    wait_uploaded(app, message_id)
    assert row(app, message_id).attempts == 2


def test_a_worker_process_that_dies_is_started_again(app, server, start):
    server.start()
    worker, each = start("worker"), worker_processes(app)
    until(lambda: len(worker.children()) == each, START_SECONDS, "all workers run")
    for pid in worker.children():
        os.kill(pid, signal.SIGKILL)
    message_id = owe(app)
    assert enqueue(app, message_id)
    wait_uploaded(app, message_id)
    assert worker.log.read_text().count("it starts again") == each


@pytest.mark.parametrize("redis_there", [True, False])
@pytest.mark.parametrize("name", ["worker", "relay"])
def test_a_stop_is_clean(app, server, start, name, redis_there):
    if redis_there:
        server.start()
    process = start(name)
    sign = "serving the queues" if name == "worker" else "looking for due"
    until(lambda: process.said(sign), START_SECONDS, f"the {name} runs")
    children = process.children()
    assert process.stop() == 0
    assert not [pid for pid in children if alive(pid)]
    assert "Traceback" not in process.log.read_text()


def test_a_stop_does_not_wait_for_a_job_that_hangs(app, server, start):
    server.start()
    message_id = owe(app)
    wav = settings_of(app).spool_dir / f"{message_id}.wav"
    wav.unlink()
    os.mkfifo(wav)
    worker = start("worker")
    assert enqueue(app, message_id)
    until(lambda: row(app, message_id).state == "running", START_SECONDS, "the upload runs")
    family = [child for parent in worker.children() for child in [parent, *children_of(parent)]]
    assert worker.stop() == 0
    until(lambda: not [pid for pid in family if alive(pid)], 10, "all of its processes are gone")


def test_the_workers_do_not_outlive_a_killed_parent(app, server, start):
    server.start()
    worker, each = start("worker"), worker_processes(app)
    until(lambda: len(worker.children()) == each, START_SECONDS, "all workers run")
    children = worker.children()
    worker.popen.kill()
    worker.popen.wait(10)
    until(lambda: not [pid for pid in children if alive(pid)], 10, "the workers are gone")


def test_a_long_job_of_the_voice_side_does_not_hold_up_an_upload(app, server, start, tmp_path):
    server.start()
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with app.app_context():
        voice = queue._queue(f"voice.{settings_of(app).host_name}")
        blocked = voice.enqueue_call("io.open", args=(str(gate),))
    worker = start("worker")
    until(lambda: blocked.get_status(refresh=True) == "started", START_SECONDS, "the long job runs")
    message_id = owe(app)
    assert enqueue(app, message_id)
    wait_uploaded(app, message_id)
    assert blocked.get_status(refresh=True) == "started"
    assert worker.popen.poll() is None


@pytest.mark.parametrize("name", ["worker", "relay"])
def test_a_wrong_setting_is_one_line_and_code_2(app, start, name):
    process = start(name, VOICEMAIL__DELIVERY__LEASE_SECONDS="soon")
    assert process.popen.wait(START_SECONDS) == 2
    lines = process.log.read_text().splitlines()
    assert len(lines) == 1
    assert "VOICEMAIL__DELIVERY__LEASE_SECONDS" in lines[0]
