"""RQ's workers as the job processes use them: what they say to Redis, and what they do while it is away."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any

import redis
from redis.client import Pipeline
from rq import Queue, SimpleWorker, Worker
from rq.exceptions import DequeueTimeout, InvalidJobOperation
from rq.job import Job
from rq.timeouts import JobTimeoutException
from rq.worker import BaseWorker, WorkerStatus

from app.jobs.queue import DELIVER, DELIVERY_TIMEOUT_SECONDS

log = logging.getLogger(__name__)

# How often a worker of deliveries tells Redis that it lives. RQ's own does so several times a job.
WORD_SECONDS = 5.0
AWAY_SECONDS = 1.0


class RedisOutage:
    """Says once that Redis is away and once that it is back, wherever in this process that is noticed."""

    def __init__(self) -> None:
        self._away = False

    def began(self, error: Exception) -> None:
        if not self._away:
            log.error("Redis is away, jobs wait until it is back: %s", error)
        self._away = True

    def ended(self) -> None:
        if self._away:
            log.info("Redis is back")
        self._away = False


outage = RedisOutage()


class _Patient(BaseWorker):
    """What RQ's workers do here: they say once that Redis is away, and have no command channel."""

    max_connection_wait_time = 2.0

    ended = False

    def request_stop(self, signum: Any, frame: Any) -> None:
        """SIGTERM or SIGINT: finish the job at hand, then end."""
        self.ended = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """The first word with Redis in each turn of RQ's loop, so it shows whether Redis is there."""
        try:
            super().heartbeat(timeout, pipeline)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            outage.began(error)
            raise
        if pipeline is None:
            outage.ended()

    def handle_job_success(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """What RQ notes of a job that ended; nothing where Redis knows it no longer.

        The relay may put a delivery into its queue once more while it is done. The second job has nothing to do, ends
        first, and takes what is known of both with it.
        """
        try:
            super().handle_job_success(job, *args, **kwargs)
        except (InvalidJobOperation, ValueError):
            log.debug("job=%s was done twice", job.id)

    def subscribe(self) -> None:
        """Nothing: the thread of the command channel would be alive across each fork."""

    def unsubscribe(self) -> None:
        """Nothing, as subscribe()."""


class QueueWorker(_Patient, Worker):
    """Each job gets its own process."""


class DeliveryWorker(_Patient, SimpleWorker):
    """Does deliveries in its own process: a fork for each costs more than the delivery.

    One that takes this process with it comes back when its lease lapses, and the process at once. RQ has twenty words
    with Redis about each job: who runs it, since when, how it ended. All that is in the database; here a job is taken
    from its queue, and Redis hears of this worker every WORD_SECONDS.
    """

    _next_word = 0.0
    _done = 0

    def check_for_suspension(self, burst: bool) -> None:
        """`rq suspend` is noticed at the next word."""
        if self._word_is_due:
            super().check_for_suspension(burst)

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """That it lives, what it does, and how many jobs it has done, where that is due."""
        if not self._word_is_due:
            return
        with self.connection.pipeline() as words:
            super().heartbeat(DELIVERY_TIMEOUT_SECONDS + 60, words)
            self.set_state(self._state, words)
            words.hincrby(self.key, "successful_job_count", self._done)
            try:
                words.execute()
            except (redis.ConnectionError, redis.TimeoutError) as error:
                outage.began(error)
                raise
        outage.ended()
        self._done, self._next_word = 0, time.monotonic() + WORD_SECONDS

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """The next job as soon as there is one; None where a burst has none left. It waits while Redis is away."""
        self._state = WorkerStatus.IDLE
        while True:
            try:
                self.heartbeat()
                if self.should_run_maintenance_tasks:
                    self.run_maintenance_tasks()  # type: ignore[no-untyped-call]
                found = self.queue_class.dequeue_any(
                    self._ordered_queues, timeout, connection=self.connection, serializer=self.serializer
                )
            except DequeueTimeout:
                continue
            except (redis.ConnectionError, redis.TimeoutError) as error:
                outage.began(error)
                self._next_word = 0.0
                time.sleep(AWAY_SECONDS)
                continue
            # From here on SIGTERM waits for the end of the job.
            self._state = WorkerStatus.BUSY
            return found

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Do a delivery, with nothing said to Redis but that its job is taken; other jobs as RQ does them."""
        if job.func_name != DELIVER:
            super().execute_job(job, queue)
            return
        # Else the hash of the job goes when its time is over.
        with suppress(redis.ConnectionError, redis.TimeoutError):
            self.connection.delete(job.key)
        try:
            with self.death_penalty_class(DELIVERY_TIMEOUT_SECONDS, JobTimeoutException, job_id=job.id):
                job.func(*job.args)
        except Exception:
            log.exception("job=%s broke off; its delivery starts again when its lease lapses", job.id)
        self._done += 1

    @property
    def _word_is_due(self) -> bool:
        return time.monotonic() >= self._next_word


class WithoutOutages(logging.Filter):
    """Drops what RQ says at every try while Redis is away; RedisOutage says it once."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a record that only tells of Redis being away."""
        error = record.exc_info[1] if record.exc_info else None
        return not (isinstance(error, redis.RedisError) or "onnect" in str(record.msg))
