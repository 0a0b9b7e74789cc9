"""Deliveries: the history of a message's, and the list of all that failed or wait for another try."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, render_template, request, url_for
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from app.extensions import db
from app.models.delivery import PENDING, RUNNING
from app.services import deliveries
from app.services.context import settings
from app.web import delivery_words, htmx, notices
from app.web.access import actor, login_required
from app.web.words import fingerprint, today

blueprint = Blueprint("deliveries", __name__, url_prefix="/console/voicemail")
PER_PAGE = 50


def init_app(app: Flask) -> None:
    """Let each page count what failed."""
    app.add_template_global(_failed_badge, "failed_deliveries")


@blueprint.get("/deliveries")
@login_required
def index() -> AnyResponse:
    """The list; HTMX gets what changes on it, and nothing where it names what it shows by `version`."""
    context = _context()
    if not htmx.wanted():
        return htmx.answer(render_template("deliveries/index.html", **context))
    if request.args.get("version") == context["version"]:
        return htmx.unchanged()
    return htmx.answer(render_template("deliveries/_poll.html", **context))


@blueprint.post("/deliveries/<id:delivery_id>/retry")
@login_required
def retry(delivery_id: str) -> AnyResponse:
    """Try one again now; the page that it was asked on follows."""
    before = deliveries.retry(delivery_id, actor=actor())
    notices.tell(_told(before.state))
    if before.message_id and request.form.get("shown") == "message":
        return _after_message(before.message_id)
    return _after_list()


@blueprint.post("/deliveries/retry-all")
@login_required
def retry_all() -> AnyResponse:
    """Try all again that the list has, on all its pages."""
    kind, state = _filters()
    number = deliveries.retry_all(kind=kind, state=state, actor=actor())
    notices.tell(_told_number(number))
    return _after_list()


@blueprint.get("/messages/<id:message_id>/deliveries")
@login_required
def of_message(message_id: str) -> AnyResponse:
    """The history of a message's deliveries; HTMX gets it without the page."""
    if htmx.wanted():
        return htmx.answer(render_template("deliveries/_history.html", **_history(message_id)))
    return htmx.answer(render_template("deliveries/history.html", **_history(message_id)))


@blueprint.post("/messages/<id:message_id>/deliveries/retry")
@login_required
def retry_message(message_id: str) -> AnyResponse:
    """Try all of a message again that failed or waits."""
    _, number = deliveries.retry_message(message_id, actor=actor())
    notices.tell(_told_number(number))
    return _after_message(message_id)


def _told(state: str) -> str:
    if state in (PENDING, RUNNING):
        return "It is tried again now."
    return "There was nothing to try again."


def _told_number(number: int) -> str:
    if not number:
        return "There was nothing to try again."
    return "It is tried again now." if number == 1 else f"{number} deliveries are tried again now, one after the other."


def _after_message(message_id: str) -> AnyResponse:
    if not htmx.wanted():
        return htmx.go(url_for("deliveries.of_message", message_id=message_id))
    body = render_template("deliveries/_history.html", **_history(message_id))
    return htmx.answer(body + render_template("_notices_beside.html"))


def _after_list() -> AnyResponse:
    """The list as it is after an act, at the part of it that was shown: the fragment, or the page again."""
    kind, state = _filters()
    if not htmx.wanted():
        cursor = _cursor() or None
        return htmx.go(url_for("deliveries.index", kind=kind or None, state=state or None, cursor=cursor))
    return htmx.answer(render_template("deliveries/_poll.html", **_context()))


def _history(message_id: str) -> dict[str, Any]:
    message, told = deliveries.of_message(message_id)
    rows = [one.delivery for one in told]
    return {
        "message": message,
        "mailbox": message.mailbox,
        "told": told,
        "hosts": deliveries.webhook_hosts(rows),
        "retryable": sum(deliveries.can_retry(row, message) for row in rows),
        "under_way": any(row.state == RUNNING or (row.state == PENDING and not row.attempts) for row in rows),
        "can_retry": deliveries.can_retry,
        "words": delivery_words,
    }


def _context() -> dict[str, Any]:
    kind, state = _filters()
    cursor = _cursor()
    rows, following = deliveries.listing(kind=kind, state=state, cursor=cursor, limit=PER_PAGE)
    context: dict[str, Any] = {
        "rows": rows,
        "following": following,
        "cursor": cursor,
        "chosen": {"kind": kind, "state": state},
        "total": deliveries.count(kind=kind, state=state),
        "on_their_way": deliveries.on_their_way(),
        "hosts": deliveries.webhook_hosts(row.delivery for row in rows),
        "can_retry": deliveries.can_retry,
        "zone": settings().timezone,
        "words": delivery_words,
        "kinds": delivery_words.KIND_NAMES,
    }
    return context | {"version": _version(context)}


def _version(context: dict[str, Any]) -> str:
    """A text that changes whenever the list looks different, be it only that a day is over where a row is read."""
    seen = [
        (row.delivery.id, row.delivery.state, row.delivery.fencing, row.mailbox and row.mailbox.extension)
        for row in context["rows"]
    ]
    zones = {row.mailbox.timezone if row.mailbox else context["zone"] for row in context["rows"]}
    days = [str(today(zone)) for zone in sorted(zones)]
    return fingerprint(repr((seen, days, context["following"], context["total"], context["on_their_way"])))


def _filters() -> tuple[str, str]:
    """Kind and state that the page is to show; what there is not is all."""
    kind, state = request.values.get("kind", ""), request.values.get("state", "")
    return kind if kind in deliveries.KINDS else "", state if state in deliveries.STATES else ""


def _cursor() -> str:
    """Where the page that is shown begins; "" for the newest deliveries."""
    return request.values.get("cursor", "")


def _failed_badge() -> str:
    """How many failed for good, as the navigation shows it; "" where nothing did, or nobody can say."""
    if not current_user.is_authenticated:
        return ""
    try:
        number = deliveries.failed_count()
    except SQLAlchemyError:
        db.session.rollback()
        return ""
    return f"{number - 1}+" if number == deliveries.COUNTED else str(number or "")
