"""What RQ does with empty jobs and nothing around them: a worker process, for bench/deliveries.py.

python -m bench.rq_alone fork|simple REDIS_URL: works its queue off and prints when it began and when it ended.
"""

from __future__ import annotations

import subprocess
import sys
import time

import redis
from rq import Queue, SimpleWorker, Worker
from rq.serializers import JSONSerializer

from app.config import PROJECT_ROOT

QUEUE = "empty"
JOB = "operator.not_"
PROCESSES = 2
JOBS = {"fork": 300, "simple": 3000}
KINDS: dict[str, type[Worker]] = {"fork": Worker, "simple": SimpleWorker}


def jobs_a_second(kind: str, url: str) -> float:
    """Empty jobs a second that PROCESSES worker processes do: RQ's Worker forks for each, its SimpleWorker does not."""
    with redis.Redis.from_url(url) as connection:
        queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
        for _ in range(JOBS[kind]):
            queue.enqueue_call(JOB, args=(1,), result_ttl=0)
    command = [sys.executable, "-m", "bench.rq_alone", kind, url]
    workers = [subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)]
    times = [[float(word) for word in worker.communicate()[0].split()] for worker in workers]
    # One may have begun when the other had done it all.
    return JOBS[kind] / (max(end for _, end in times) - min(began for began, _ in times))


def main(kind: str, url: str) -> None:
    """One worker process."""
    connection = redis.Redis.from_url(url)
    worker = KINDS[kind](
        [Queue(QUEUE, connection=connection, serializer=JSONSerializer)],
        connection=connection,
        serializer=JSONSerializer,
    )
    began = time.monotonic()
    worker.work(burst=True, logging_level="ERROR")
    print(began, time.monotonic())


if __name__ == "__main__":
    main(*sys.argv[1:])
