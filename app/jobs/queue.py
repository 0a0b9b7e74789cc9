"""The only module that enqueues. RQ is a messenger: what is owed stands in the outbox, so a lost job costs seconds.

Queues: `upload.HOST` (where that host's spool is), `voice.HOST`, `email`, `webhook`; and beside each of the deliveries'
one for what is tried again, such as `email.again`, which is served when the first is empty: the backlog of an outage
does not hold up new messages. Jobs are dotted names
with JSON arguments.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import redis
from flask import current_app
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from sqlalchemy import Row

from app.config import Settings
from app.errors import Unavailable
from app.models import Delivery

log = logging.getLogger(__name__)

DELIVER = "app.jobs.run.deliver"
DELIVERY_TIMEOUT_SECONDS = 600
VOICE_TIMEOUT_SECONDS = 180
VOICE_RESULT_SECONDS = 600
# A job that waits for longer is forgotten; the relay puts its delivery into the queue again.
WAITING_SECONDS = 86400
# Deliveries that are enqueued in one word to Redis.
TOGETHER = 50
# Someone waits for the enqueuer (a caller for the tone), and the relay comes by anyway.
ANSWER_SECONDS = 0.5
PAUSE_SECONDS = 2.0

_STATES = {
    JobStatus.CREATED: "queued",
    JobStatus.QUEUED: "queued",
    JobStatus.DEFERRED: "queued",
    JobStatus.SCHEDULED: "queued",
    JobStatus.STARTED: "running",
    JobStatus.FINISHED: "done",
}


class _Outage:
    """Whether Redis was away a moment ago: one log line an outage, and no waiting for it in between."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._away, self._again_at = False, 0.0

    def pausing(self) -> bool:
        return self._away and time.monotonic() < self._again_at

    def began(self, error: Exception) -> None:
        with self._lock:
            if not self._away:
                log.warning("Redis takes no jobs, they start late until it does: %s", error)
            self._away, self._again_at = True, time.monotonic() + PAUSE_SECONDS

    def ended(self) -> None:
        with self._lock:
            if self._away:
                log.info("Redis takes jobs again")
            self._away = False


_outage = _Outage()


@dataclass(frozen=True)
class Due:
    """What a queue must know of a delivery that may start. fencing: its number before this attempt."""

    id: str
    kind: str
    target: str
    fencing: int
    message_id: str | None
    recording_sid: str | None = None

    @classmethod
    def of(cls, row: Delivery | Row[*tuple[Any, ...]]) -> Due:
        """The facts of a row, or of its columns."""
        return cls(row.id, row.kind, row.target, row.fencing, row.message_id, row.recording_sid)

    @property
    def about(self) -> str:
        """What it tells of, for people."""
        return f"recording {self.recording_sid}" if self.recording_sid else f"message {self.message_id}"

    @property
    def job_id(self) -> str:
        """That of the attempt: a retry is another job, a second call for the same attempt is not."""
        return f"delivery-{self.id}-{self.fencing}"

    @property
    def queue(self) -> str:
        """Uploads run on the host of the spool, the rest anywhere."""
        name = f"upload.{self.target}" if self.kind == "upload" else self.kind
        # Not by its attempts, which somebody may have set back: thousands tried again by hand wait behind new ones.
        return again(name) if self.fencing else name


def again(name: str) -> str:
    """The queue beside this one for what is tried again."""
    return f"{name}.again"


def queues_of_host(settings: Settings) -> list[Crew]:
    """What serves the queues of a host: a queue of its own for each kind, so that none waits for another's server."""
    host = settings.host_name
    return [
        Crew("upload", (f"upload.{host}", again(f"upload.{host}")), settings.delivery.upload_workers),
        Crew("email", ("email", again("email")), settings.delivery.email_workers),
        Crew("webhook", ("webhook", again("webhook")), settings.delivery.webhook_workers),
        Crew("voice", (f"voice.{host}",), 1, forks=True),
    ]


@dataclass(frozen=True)
class Crew:
    """Worker processes that serve queues, the first before the second.

    forks: each job gets a process of its own; else it is done in the worker's, much sooner.
    """

    name: str
    queues: tuple[str, ...]
    workers: int
    forks: bool = False


def enqueue_deliveries(deliveries: Iterable[Due], *, keep_places: bool = False) -> int:
    """Put deliveries into their queues, each once however often it is asked; how many, until Redis was away.

    keep_places: what waits there already stays where it is; else it goes to the end, which costs one word less.
    """
    done, waiting = 0, list(deliveries)
    for start in range(0, len(waiting), TOGETHER):
        part = waiting[start : start + TOGETHER]
        if not _enqueue_together(part, keep_places):
            break
        done += len(part)
    return done


def _enqueue_together(deliveries: list[Due], keep_places: bool) -> bool:
    """Put all of these into their queues in one word to Redis, or none."""
    if _outage.pausing():
        return False
    try:
        missing = _missing(deliveries) if keep_places else deliveries
        with connection().pipeline() as words:
            words.multi()
            for due in missing:
                _enqueue(due, words)
            words.execute()
    except redis.RedisError as error:
        _outage.began(error)
        return False
    _outage.ended()
    return True


def _missing(deliveries: list[Due]) -> list[Due]:
    """Those that do not wait in their queues."""
    with connection().pipeline(transaction=False) as words:
        for due in deliveries:
            words.lpos(_queue(due.queue).key, due.job_id)
        places = words.execute()
    return [due for due, place in zip(deliveries, places, strict=True) if place is None]


def _enqueue(due: Due, words: Pipeline) -> None:
    job_id, queue = due.job_id, _queue(due.queue)
    queue.remove(job_id, pipeline=words)
    queue.enqueue_call(
        DELIVER,
        args=(due.id,),
        job_id=job_id,
        timeout=DELIVERY_TIMEOUT_SECONDS,
        ttl=WAITING_SECONDS,
        result_ttl=0,
        description=f"{due.kind} of {due.about}",
        pipeline=words,
    )


def publish(channel: str, text: str) -> bool:
    """Say something on a channel of Redis; False where it is away, or was a moment ago."""
    if _outage.pausing():
        return False
    try:
        connection().publish(channel, text)
    except redis.RedisError as error:
        _outage.began(error)
        return False
    _outage.ended()
    return True


def reachable() -> bool:
    """Whether Redis answers now; False at once where it was away a moment ago."""
    if _outage.pausing():
        return False
    try:
        connection().ping()
    except redis.RedisError as error:
        _outage.began(error)
        return False
    _outage.ended()
    return True


def enqueue_voice(name: str, *args: Any) -> str:
    """Ask the voice side of this host for a job of voice/jobs.py; the job's id. Unavailable where Redis is away."""
    settings: Settings = current_app.extensions["settings"]
    try:
        job = _queue(f"voice.{settings.host_name}").enqueue_call(
            f"voice.jobs.{name}",
            args=args,
            timeout=VOICE_TIMEOUT_SECONDS,
            result_ttl=VOICE_RESULT_SECONDS,
            failure_ttl=VOICE_RESULT_SECONDS,
            description=name,
        )
    except redis.RedisError as error:
        _outage.began(error)
        raise Unavailable("The job queue is away; try again in a moment.") from None
    return str(job.id)


def voice_job(job_id: str) -> dict[str, Any]:
    """What became of a job of the voice side: {"state": queued | running | done | failed | unknown, "result"}.

    result is what the job returned; None before that, and for one that failed. Unavailable where Redis is away.
    """
    try:
        job = Job.fetch(job_id, connection=connection(), serializer=JSONSerializer)
        if job.origin.partition(".")[0] != "voice":
            return {"state": "unknown", "result": None}
        state = _STATES.get(job.get_status(), "failed")
        return {"state": state, "result": job.return_value() if state == "done" else None}
    except (NoSuchJobError, ValueError):
        # ValueError: not even the form of an id.
        return {"state": "unknown", "result": None}
    except redis.RedisError:
        raise Unavailable("The job queue is away; try again in a moment.") from None


def _queue(name: str) -> Queue:
    settings: Settings = current_app.extensions["settings"]
    return _queue_of(settings.redis_url, name)


@functools.cache
def _queue_of(url: str, name: str) -> Queue:
    # Kept: each new one would ask Redis for its version.
    return Queue(name, connection=_connected(url), serializer=JSONSerializer)


def connection() -> redis.Redis:
    """Redis as the application's settings say; whoever asks it waits ANSWER_SECONDS at most."""
    settings: Settings = current_app.extensions["settings"]
    return _connected(settings.redis_url)


@functools.cache
def _connected(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0)
    )
