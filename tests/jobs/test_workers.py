"""Which process does a job: that of the worker for deliveries, one of its own for all others."""

from __future__ import annotations

import os

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from app.jobs.worker import DeliveryWorker, QueueWorker


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
