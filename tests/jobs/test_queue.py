"""What is in RQ's queues, and that its absence harms nobody."""

from __future__ import annotations

import logging
import re
import sys
import threading
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy.exc import OperationalError

from app.errors import Unavailable
from app.extensions import db
from app.jobs import queue, relay
from app.jobs.relay import Relay
from app.models import Delivery
from app.services import outbox, purge
from tests.jobs.owed import CONTENT, change, lapse, make_due, message_of, owe, row, settings_of, tune
from tests.jobs.valkey_server import ValkeyServer
from tests.support import until


@pytest.fixture
def server(app) -> Iterator[ValkeyServer]:
    """A Valkey that the application `app` uses."""
    server = ValkeyServer()
    server.start()
    app.extensions["settings"] = replace(settings_of(app), redis_url=server.url)
    queue._outage.ended()
    yield server
    queue._outage.ended()
    server.close()


def waiting(server: ValkeyServer, name: str) -> list[str]:
    with server.connect() as connection:
        return Queue(name, connection=connection, serializer=JSONSerializer).job_ids


def upload_queue(app) -> str:
    return f"upload.{settings_of(app).host_name}"


def enqueue(app, delivery_id: str) -> bool:
    with app.app_context():
        return queue.enqueue_deliveries([queue.Due.of(db.session.get_one(Delivery, delivery_id))]) == 1


def work_off(server: ValkeyServer, name: str) -> None:
    """Do all jobs of a queue, here and now."""
    with server.connect() as connection:
        worker = SimpleWorker(
            [Queue(name, connection=connection, serializer=JSONSerializer)],
            connection=connection,
            serializer=JSONSerializer,
        )
        worker.work(burst=True, logging_level="WARNING")


def run_relay(app) -> int:
    with app.app_context():
        return relay.relay_once()


def test_a_delivery_is_in_its_queue_once_however_often_it_is_enqueued(app, server):
    delivery_id = row(app, owe(app)).id
    assert [enqueue(app, delivery_id) for _ in range(5)] == [True] * 5
    assert waiting(server, upload_queue(app)) == [f"delivery-{delivery_id}-0"]


def test_an_upload_goes_to_the_queue_of_its_spools_host(app, server):
    delivery_id = row(app, owe(app, host="host-b")).id
    enqueue(app, delivery_id)
    assert len(waiting(server, "upload.host-b")) == 1
    assert waiting(server, upload_queue(app)) == []


@pytest.mark.parametrize("kind", ["email", "webhook"])
def test_other_kinds_go_to_queues_of_all_hosts(app, server, kind):
    enqueue(app, row(app, owe(app), kind).id)
    assert len(waiting(server, kind)) == 1


def test_redis_away_is_a_log_line_and_no_error(app, server, caplog):
    message_id = owe(app)
    server.stop()
    with caplog.at_level(logging.INFO):
        assert [enqueue(app, row(app, message_id).id) for _ in range(3)] == [False] * 3
    assert len([record for record in caplog.records if "Redis takes no jobs" in record.message]) == 1


def test_a_job_does_its_delivery(app, server):
    message_id = owe(app)
    enqueue(app, row(app, message_id).id)
    with app.app_context():
        work_off(server, upload_queue(app))
    assert row(app, message_id).state == "done"
    assert message_of(app, message_id).spool_host is None


def test_a_job_that_comes_twice_does_nothing_the_second_time(app, server):
    message_id = owe(app)
    enqueue(app, row(app, message_id).id)
    with app.app_context():
        work_off(server, upload_queue(app))
        stale = row(app, message_id)
        stale.fencing = 0
        assert queue.enqueue_deliveries([queue.Due.of(stale)]) == 1
        work_off(server, upload_queue(app))
    assert (row(app, message_id).state, row(app, message_id).attempts) == ("done", 1)


def test_finished_jobs_leave_nothing_in_redis(app, server):
    enqueue(app, row(app, owe(app)).id)
    with app.app_context():
        work_off(server, upload_queue(app))
    with server.connect() as connection:
        assert connection.keys("rq:job:*") == []


def test_the_end_of_one_delivery_enqueues_the_next(app, server):
    message_id = owe(app, pending=("upload", "email"))
    enqueue(app, row(app, message_id).id)
    with app.app_context():
        work_off(server, upload_queue(app))
    assert waiting(server, "email") == [f"delivery-{row(app, message_id, 'email').id}-0"]


def test_the_relay_finds_what_nobody_enqueued(app, server):
    delivery_id = row(app, owe(app)).id
    assert run_relay(app) == 1
    assert waiting(server, upload_queue(app)) == [f"delivery-{delivery_id}-0"]
    assert run_relay(app) == 0


def test_the_relay_leaves_what_waits_in_its_place(app, server):
    ids = [row(app, owe(app, extension=f"100{number}")).id for number in range(3)]
    # The first and the last were enqueued right after their commits.
    assert enqueue(app, ids[0])
    assert enqueue(app, ids[2])
    assert run_relay(app) == 3
    assert waiting(server, upload_queue(app)) == [f"delivery-{ids[each]}-0" for each in (0, 2, 1)]
    assert run_relay(app) == 0


def test_the_relay_finds_what_redis_lost(app, server):
    message_id = owe(app)
    run_relay(app)
    server.stop()
    server.start()
    assert waiting(server, upload_queue(app)) == []
    make_due(app, row(app, message_id).id)
    assert run_relay(app) == 1
    with app.app_context():
        work_off(server, upload_queue(app))
    assert row(app, message_id).state == "done"


def test_the_relay_finds_a_job_that_a_worker_took_away_unclaimed(app, server):
    message_id = owe(app)
    run_relay(app)
    # What a kill -9 between RQ's dequeue and our claim leaves: the job's hash without its place in the queue.
    with server.connect() as connection:
        connection.delete(f"rq:queue:{upload_queue(app)}")
        assert len(connection.keys("rq:job:*")) == 1
    make_due(app, row(app, message_id).id)
    assert run_relay(app) == 1
    with app.app_context():
        work_off(server, upload_queue(app))
    assert row(app, message_id).state == "done"


def test_the_relay_gives_back_what_a_dead_worker_held(app, server, caplog):
    message_id = owe(app)
    with app.app_context():
        mine = outbox.claim(row(app, message_id).id)
    assert run_relay(app) == 0
    lapse(app, mine.delivery_id)
    assert run_relay(app) == 1
    assert f"delivery={mine.delivery_id} its worker ended" in caplog.text
    assert waiting(server, queue.again(upload_queue(app))) == [f"delivery-{mine.delivery_id}-1"]


def test_new_messages_go_before_a_backlog(app, server):
    """One after the other within each: neither the last new one nor the last of the backlog goes first."""
    old = [owe(app, extension=f"100{number}") for number in range(3)]
    for message_id in old:
        # Somebody wants them tried again: that sets their attempts back, and they are no new ones for that.
        change(app, row(app, message_id).id, attempts=0, fencing=2)
    assert run_relay(app) == 3
    new = [owe(app, extension=f"200{number}") for number in range(3)]
    assert all(enqueue(app, row(app, message_id).id) for message_id in new)
    [crew] = [crew for crew in queue.queues_of_host(settings_of(app)) if crew.name == "upload"]
    in_order = [job_id for name in crew.queues for job_id in waiting(server, name)]
    rows = [row(app, message_id) for message_id in new + old]
    assert in_order == [f"delivery-{each.id}-{each.fencing}" for each in rows]


def test_the_relay_empties_a_backlog_of_more_than_one_batch(app, server, monkeypatch):
    monkeypatch.setattr(relay, "BATCH", 2)
    for _ in range(5):
        owe(app)
    assert run_relay(app) == 5
    assert len(waiting(server, upload_queue(app))) == 5


def test_a_host_that_is_away_does_not_hold_up_the_others(app, server, monkeypatch):
    monkeypatch.setattr(relay, "BATCH", 2)
    for _ in range(5):
        owe(app, host="away")
    message_id = owe(app)
    assert run_relay(app) == 6
    with app.app_context():
        work_off(server, upload_queue(app))
    assert row(app, message_id).state == "done"


def test_redis_down_at_the_save_then_up(app, server):
    server.stop()
    message_id = owe(app)
    assert not enqueue(app, row(app, message_id).id)
    assert run_relay(app) == 0
    assert row(app, message_id).queued_until is None
    server.start()
    queue._outage.ended()
    assert run_relay(app) == 1
    with app.app_context():
        work_off(server, upload_queue(app))
    assert row(app, message_id).state == "done"
    message = message_of(app, message_id)
    stored = settings_of(app).storage.folder / "objects" / message.storage_key
    assert stored.read_bytes() == CONTENT


def test_the_relay_says_once_that_the_database_is_away(app, server, monkeypatch, caplog):
    away = [True]

    def expire() -> list[str]:
        if away:
            raise OperationalError("SELECT 1", {}, Exception("the server is gone"))
        return []

    monkeypatch.setattr(outbox, "expire_leases", expire)
    monkeypatch.setattr(relay, "sweep", lambda: None)
    rounds = Relay(app, threading.Event())
    with caplog.at_level(logging.INFO, logger="app.jobs.relay"):
        for _ in range(3):
            rounds.round()
        away.clear()
        rounds.round()
    said = [record.getMessage() for record in caplog.records if record.name == "app.jobs.relay"]
    assert len(said) == 2
    assert "the server is gone" in said[0]
    assert "works again" in said[1]
    assert "Traceback" not in caplog.text


def test_the_sweep_runs_at_the_start_and_then_by_the_hour(app, server, monkeypatch):
    swept: list[int] = []
    monkeypatch.setattr(relay, "sweep", lambda: swept.append(1))
    rounds = Relay(app, threading.Event())
    rounds.round()
    rounds.round()
    assert swept == [1]
    rounds._next_sweep = 0.0
    rounds.round()
    assert swept == [1, 1]


def test_a_sweep_that_left_some_behind_goes_on_in_the_next_round(app, server, monkeypatch):
    purged = [purge.BATCH, purge.BATCH, 3, 0]
    monkeypatch.setattr(relay.purge, "sweep_retention", lambda: purged.pop(0))
    rounds = Relay(app, threading.Event())
    for _ in range(5):
        rounds.round()
    assert purged == [0]


def test_the_sweep_tries_uploads_again_that_were_given_up(app, server):
    message_id = owe(app)
    change(app, row(app, message_id).id, state="failed")
    with app.app_context():
        relay.sweep()
    assert run_relay(app) == 1


def test_the_relay_ends_when_it_is_told_to(app, server, monkeypatch):
    monkeypatch.setattr(relay, "sweep", lambda: None)
    tune(app, relay_seconds=3600)
    message_id = owe(app)
    stop = threading.Event()
    thread = threading.Thread(target=Relay(app, stop).run)
    thread.start()
    until(lambda: waiting(server, upload_queue(app)), 20, f"{message_id} is queued")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def voice_jobs(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A voice side of the test's own: what counts here is the way to it and back."""
    module = types.ModuleType("voice.jobs")
    module.add = lambda a, b: {"ok": True, "detail": f"{a + b}"}
    module.fail = lambda: 1 / 0
    monkeypatch.setitem(sys.modules, "voice.jobs", module)
    return module


def test_a_job_of_the_voice_side_and_its_result(app, server, voice_jobs):
    name = f"voice.{settings_of(app).host_name}"
    with app.app_context():
        job_id = queue.enqueue_voice("add", 2, 3)
        assert queue.voice_job(job_id) == {"state": "queued", "result": None}
        work_off(server, name)
        assert queue.voice_job(job_id) == {"state": "done", "result": {"ok": True, "detail": "5"}}


def test_a_job_of_the_voice_side_that_fails(app, server, voice_jobs):
    with app.app_context():
        job_id = queue.enqueue_voice("fail")
        work_off(server, f"voice.{settings_of(app).host_name}")
        assert queue.voice_job(job_id) == {"state": "failed", "result": None}


def test_only_jobs_of_the_voice_side_can_be_looked_at(app, server):
    delivery_id = row(app, owe(app)).id
    enqueue(app, delivery_id)
    with app.app_context():
        for job_id in (f"delivery-{delivery_id}-0", "none", "", "../x", "x" * 5000, "a\r\nb"):
            assert queue.voice_job(job_id) == {"state": "unknown", "result": None}


def test_the_voice_side_is_unavailable_while_redis_is(app, server):
    server.stop()
    with app.app_context():
        with pytest.raises(Unavailable):
            queue.enqueue_voice("add", 1, 2)
        with pytest.raises(Unavailable):
            queue.voice_job("x")


def test_only_one_module_enqueues():
    root = Path(queue.__file__).resolve().parents[2]
    found = [
        str(path.relative_to(root))
        for room in ("app", "voice")
        for path in (root / room).rglob("*.py")
        if re.search(r"\.enqueue(_call|_many|_in|_at|_job)?\(", path.read_text(encoding="utf-8"))
    ]
    assert found == ["app/jobs/queue.py"]


def test_redis_errors_are_the_clients_own(app, server):
    server.stop()
    with app.app_context(), pytest.raises(redis.ConnectionError):
        queue.connection().ping()
