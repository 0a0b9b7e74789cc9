"""rq-dashboard behind the administrators' log-in: queues, jobs and job workers, to be looked at.

Nothing can be done there: RQ is only a messenger, and what is owed is tried again on the page of deliveries.
rq-dashboard 0.9.0 needs these corrections for rq 3 and a strict content security policy:

- its templates are compiled by underscore, which needs 'unsafe-eval', and put job texts into the page unescaped:
  app/static/queues.js stands in for underscore, with the nonce of the page;
- its pages have inline scripts (they get the nonce) and inline styles (they are taken out);
- it would unpickle what lies in Redis, and ours is JSON; it opens a connection without a time-out at each request, and
  ends with a traceback for an unknown job, queue or page number, and while Redis is away.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

import redis
import rq_dashboard.web as dashboard
from flask import Flask, Response, g, request
from markupsafe import Markup
from rq import Worker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from app.errors import Forbidden, NotFound, Unavailable
from app.jobs import queue
from app.web.access import admin_required
from app.web.security import CONTENT_SECURITY_POLICY

PREFIX = "/console/queues"
NAME = dashboard.blueprint.name
SHOWN = {
    f"{NAME}.{view}"
    for view in (
        *("queues_overview", "workers_overview", "jobs_overview", "job_view"),
        *("list_queues", "list_workers", "list_jobs", "job_info", "static", "favicon"),
    )
}
REGISTRIES = {"queued", "failed", "deferred", "started", "finished", "scheduled", "canceled"}
MAX_PER_PAGE, MAX_PAGE = 200, 1_000_000
AWAY = "Redis is away, so nobody can see the queues. What is owed stands in the database and is not lost."
_STYLE = re.compile(r'\sstyle\s*=\s*"[^"]*"')


class _JsonWorker(Worker):
    """A worker whose jobs are read as what they are."""

    @classmethod
    def all(cls, connection: redis.Redis | None = None, **options: Any) -> list[BaseWorker]:  # type: ignore[override]
        """As Worker.all()."""
        return Worker.all(connection, serializer=JSONSerializer)


def init_app(app: Flask) -> None:
    """Add the dashboard to the portal."""
    dashboard.config.serializer = JSONSerializer
    dashboard.Worker = _JsonWorker
    dashboard.from_url = lambda url, **_: (url, queue.connection())
    # Never the address of Redis, which may hold a password, and which pages would show.
    app.config["RQ_DASHBOARD_REDIS_URL"] = ("Redis",)
    app.config["RQ_DASHBOARD_DISABLE_DELETE"] = True
    app.redis_conn = None  # type: ignore[attr-defined]  # rq-dashboard's own place for it
    app.add_template_filter(_without_styles, "without_styles")
    app.add_template_global(_nonce, "csp_nonce")
    app.before_request(_guard)
    app.after_request(_allow_nonce)
    app.register_blueprint(dashboard.blueprint, url_prefix=PREFIX)


def _guard() -> Any:
    """Before each request of the dashboard: an administrator, who looks at what there is, and does nothing."""
    return _look() if request.blueprint == NAME else None


@admin_required
def _look() -> None:
    if request.endpoint not in SHOWN or request.method not in ("GET", "HEAD", "OPTIONS"):
        raise Forbidden("The queues can only be looked at. What failed is tried again on the page Deliveries.")
    asked = request.view_args or {}
    if asked.get("instance_number") or asked.get("registry_name", "queued") not in REGISTRIES:
        raise NotFound("There is no such queue.")
    if not (_is_number(asked.get("page", 1), MAX_PAGE) and _is_number(asked.get("per_page", 1), MAX_PER_PAGE)):
        raise NotFound("There is no such page of the queue.")
    if "instance_number" in asked:
        try:
            found = "job_id" not in asked or Job.exists(asked["job_id"], connection=queue.connection())
            queue.connection().ping()
        except redis.RedisError:
            raise Unavailable(AWAY) from None
        if not found:
            raise NotFound("There is no such job; it may have ended.")


def _is_number(value: object, highest: int) -> bool:
    text = str(value)
    return text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= highest


def _nonce() -> str:
    """The word by which a page's own inline scripts are known; another one for each answer."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    nonce: str = g.csp_nonce
    return nonce


def _without_styles(markup: str) -> Markup:
    """The dashboard's own markup without inline styles."""
    return Markup(_STYLE.sub("", markup))  # noqa: S704 - it was rendered, and escaped, by its own template


def _allow_nonce(response: Response) -> Response:
    if request.blueprint == NAME and "csp_nonce" in g:
        scripts = f"script-src 'self' 'nonce-{_nonce()}'; "
        response.headers["Content-Security-Policy"] = scripts + CONTENT_SECURITY_POLICY
    return response
