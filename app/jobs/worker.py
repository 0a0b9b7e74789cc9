"""The job workers of a host: processes for each kind of delivery and for the voice side's jobs.

RQ carries jobs to them and no more: a job that a kill -9 took away comes back when its lease lapses.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.context import ForkContext, ForkProcess

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer

from app.config import Settings
from app.jobs import queue
from app.jobs.rq_workers import DeliveryWorker, QueueWorker, WithoutOutages, outage

log = logging.getLogger(__name__)

FINISH_SECONDS, END_SECONDS = 1.6, 2.4
RETRY_SECONDS = 1.0
# RQ asks Redis anew after WORKER_TTL - 15 s.
WORKER_TTL_SECONDS = 30
MAINTENANCE_SECONDS = 60
PR_SET_PDEATHSIG = 1


class JobWorkers:
    """The processes of each queue; started again when they die, ended with all that they run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._fork: ForkContext = multiprocessing.get_context("fork")
        self._processes: dict[str, ForkProcess] = {}

    def tend(self) -> None:
        """Start what is not running."""
        for crew in queue.queues_of_host(self._settings):
            for number in range(crew.workers):
                self._tend(f"{crew.name}-{number + 1}", crew)

    def _tend(self, name: str, crew: queue.Crew) -> None:
        process = self._processes.get(name)
        if process is not None and process.is_alive():
            return
        if process is not None:
            log.error("the worker %s ended with code %s; it starts again", name, process.exitcode)
        process = self._fork.Process(target=_work, name=name, args=(self._settings, crew, os.getpid()))
        process.start()
        self._processes[name] = process

    def end(self) -> None:
        """End all within 3 s: each may finish its job, then its job is ended, then it is."""
        began = time.monotonic()
        for signum, until in ((signal.SIGTERM, FINISH_SECONDS), (signal.SIGTERM, END_SECONDS), (signal.SIGKILL, 5.0)):
            living = [process for process in self._processes.values() if process.is_alive()]
            for process in living:
                if process.pid:
                    os.kill(process.pid, signum)
            for process in living:
                process.join(max(0.0, began + until - time.monotonic()))


def connection_of_a_worker(url: str) -> redis.Redis:
    """Redis for a worker that waits for jobs.

    redis-py gives up reading after 5 s if not told otherwise, and RQ's own setting comes too late for a connection that
    is open already: a job that arrives in that moment would be lost.
    """
    return redis.Redis.from_url(
        url, socket_timeout=WORKER_TTL_SECONDS, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
    )


def _work(settings: Settings, crew: queue.Crew, parent: int) -> None:
    """A worker process: RQ's loop, begun again as often as Redis goes away."""
    _die_with_parent(parent)
    signal.signal(signal.SIGTERM, _exit)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))
    logging.getLogger("rq.worker").addFilter(WithoutOutages())
    while True:
        connection = connection_of_a_worker(settings.redis_url)
        try:
            connection.ping()
            outage.ended()
            if _serve(connection, crew):
                return
        except redis.RedisError as error:
            outage.began(error)
        connection.close()
        time.sleep(RETRY_SECONDS)


def _serve(connection: redis.Redis, crew: queue.Crew) -> bool:
    """Serve queues until told to end (True); False or a RedisError where RQ's loop ended by itself."""
    worker = (QueueWorker if crew.forks else DeliveryWorker)(
        [Queue(name, connection=connection, serializer=JSONSerializer) for name in crew.queues],
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=WORKER_TTL_SECONDS,
        maintenance_interval=MAINTENANCE_SECONDS,
        job_monitoring_interval=5,
    )
    try:
        worker.work(logging_level="WARNING")
    except redis.RedisError:
        if not worker.ended:
            raise
    finally:
        signal.signal(signal.SIGTERM, _exit)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return worker.ended


def _exit(*_: object) -> None:
    sys.exit(0)


def _die_with_parent(parent: int) -> None:
    """Ask Linux to end this process when its parent is killed; elsewhere it just goes on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)
