"""Numbers for Prometheus: what is stored and owed, and what the portal answered. No names, no numbers of callers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.errors import Unavailable
from app.extensions import db
from app.models import Delivery, Mailbox, Message
from app.models.base import database_now
from app.models.delivery import PENDING, RUNNING
from app.services import calls
from app.web import worker_metrics

blueprint = Blueprint("metrics", __name__)
EXTENSION_KEY = "voicemail_metrics"


class HttpNumbers:
    """What the portal answered, by kind of address; in a registry of this application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(Stored())
        self.requests = Counter(
            "voicemail_http_requests", "Requests answered", ("endpoint", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "voicemail_http_request_seconds", "Time to an answer's first byte", ("endpoint",), registry=self.registry
        )


class Stored(Collector):
    """What the database and Redis know, asked when Prometheus asks."""

    def describe(self) -> Iterator[Metric]:
        """Nothing: so that to register asks no database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The gauges; those whose source is away are left out, which Prometheus shows as a gap."""
        try:
            yield from _database_gauges()
        except SQLAlchemyError:
            db.session.rollback()
        try:
            yield from worker_metrics.metrics()
        except Unavailable:
            return


def init_app(app: Flask) -> None:
    """Count the answers of an application."""
    app.extensions[EXTENSION_KEY] = HttpNumbers()
    app.before_request(_begin)
    app.after_request(_count)


@blueprint.get("/metrics")
def metrics() -> Response:
    """All numbers in the text format of Prometheus."""
    numbers: HttpNumbers = current_app.extensions[EXTENSION_KEY]
    return Response(generate_latest(numbers.registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _begin() -> None:
    g.began_at = time.perf_counter()


def _count(response: Response) -> Response:
    numbers: HttpNumbers = current_app.extensions[EXTENSION_KEY]
    endpoint = request.endpoint or "unknown"
    numbers.requests.labels(endpoint, str(response.status_code)).inc()
    if "began_at" in g:
        numbers.seconds.labels(endpoint).observe(time.perf_counter() - g.began_at)
    return response


def _database_gauges() -> Iterator[Metric]:
    boxes = select(func.count()).select_from(Mailbox).where(Mailbox.live_extension.is_not(None))
    yield GaugeMetricFamily("voicemail_mailboxes", "Mailboxes", db.session.scalar(boxes) or 0)

    messages = GaugeMetricFamily("voicemail_messages", "Messages that are not purged, by state", labels=["state"])
    rows = (
        select(Message.state, Message.deleted_at.is_not(None), func.count())
        .where(Message.purged_at.is_(None))
        .group_by(Message.state, Message.deleted_at.is_not(None))
    )
    states: dict[str, int] = {}
    for state, deleted, number in db.session.execute(rows):
        name = "trash" if deleted else state
        states[name] = states.get(name, 0) + number
    for state, number in states.items():
        messages.add_metric([state], number)
    yield messages

    yield from _delivery_gauges()
    yield _programmed_calls()

    open_states = Delivery.state.in_((PENDING, RUNNING))
    oldest = db.session.scalar(select(func.min(Delivery.created_at)).where(open_states))
    # By the clock that wrote it.
    now: datetime = db.session.execute(select(database_now())).scalar_one()
    age = max(0.0, (now - oldest).total_seconds()) if oldest is not None else 0.0
    yield GaugeMetricFamily("voicemail_oldest_delivery_seconds", "Age of the oldest delivery that is not done", age)
    db.session.rollback()


def _programmed_calls() -> Metric:
    """Of a day, not of all days: a scrape must not read the whole table."""
    about = "Programmed calls that began within a day, by status and whether something went wrong"
    family = GaugeMetricFamily("voicemail_programmed_calls_of_day", about, labels=["status", "problem"])
    for (status, wrong), number in calls.counts_of_day().items():
        family.add_metric([status, "yes" if wrong else "no"], number)
    return family


def _delivery_gauges() -> Iterator[Metric]:
    deliveries = GaugeMetricFamily("voicemail_deliveries", "Deliveries by kind and state", labels=["kind", "state"])
    counted = select(Delivery.kind, Delivery.state, func.count()).group_by(Delivery.kind, Delivery.state)
    for kind, state, number in db.session.execute(counted):
        deliveries.add_metric([kind, state], number)
    yield deliveries

    name, about = "voicemail_deliveries_retrying", "Deliveries that failed at least once and are tried again, by kind"
    retrying = GaugeMetricFamily(name, about, labels=["kind"])
    again = select(Delivery.kind, func.count()).where(Delivery.state == PENDING, Delivery.attempts > 0)
    for kind, number in db.session.execute(again.group_by(Delivery.kind)):
        retrying.add_metric([kind], number)
    yield retrying
