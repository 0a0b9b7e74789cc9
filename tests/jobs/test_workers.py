"""Which process does a job: that of the worker for deliveries, one of its own for all others."""

from __future__ import annotations

import os

import pytest
import redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from app.jobs.rq_workers import DeliveryWorker, QueueWorker
from app.jobs.worker import WORKER_TTL_SECONDS, connection_of_a_worker


@pytest.mark.parametrize(("kind", "forks"), [(DeliveryWorker, False), (QueueWorker, True)])
def test_deliveries_are_not_forked_and_other_jobs_are(
    valkey: str, kind: type[DeliveryWorker | QueueWorker], forks: bool
) -> None:
    with redis.Redis.from_url(valkey) as connection:
        queue = Queue("jobs", connection=connection, serializer=JSONSerializer)
        job = queue.enqueue_call("os.getpid")
        kind([queue], connection=connection, serializer=JSONSerializer).work(burst=True)
        job.refresh()
        assert job.is_finished
        assert (job.return_value() != os.getpid()) is forks


def test_a_worker_waits_longer_for_redis_than_redis_for_a_job(valkey: str) -> None:
    with connection_of_a_worker(valkey) as connection:
        connection.ping()
        queue = Queue("jobs", connection=connection, serializer=JSONSerializer)
        worker = DeliveryWorker([queue], connection=connection, worker_ttl=WORKER_TTL_SECONDS)
        opened = connection.connection_pool.get_connection()
        assert opened.socket_timeout >= worker.dequeue_timeout + 10
        connection.connection_pool.release(opened)


def forget(url: str, job_id: str) -> None:
    """A job that is forgotten before it ends."""
    with redis.Redis.from_url(url) as connection:
        Job.fetch(job_id, connection=connection, serializer=JSONSerializer).delete()


def test_a_job_that_came_twice_and_whose_second_ended_first_is_no_failure(
    valkey: str, caplog: pytest.LogCaptureFixture
) -> None:
    with redis.Redis.from_url(valkey) as connection:
        queue = Queue("jobs", connection=connection, serializer=JSONSerializer)
        queue.enqueue_call("tests.jobs.test_workers.forget", args=(valkey, "once"), job_id="once", result_ttl=0)
        worker = DeliveryWorker([queue], connection=connection, serializer=JSONSerializer)
        worker.work(burst=True, logging_level="WARNING")
        assert worker.successful_job_count == 0
        assert queue.failed_job_registry.count == 0
        assert not queue.count
    assert "Traceback" not in caplog.text
