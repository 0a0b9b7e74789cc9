"""Calls in progress and the voice workers that serve them: a page that renews itself."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response as AnyResponse

from app.errors import Unavailable
from app.extensions import db
from app.models.base import utc_now
from app.models.user import ADMIN
from app.services import calls as programmed
from app.services import workers
from app.services.context import settings
from app.web import htmx
from app.web.access import login_required

blueprint = Blueprint("calls", __name__, url_prefix="/console/voicemail/calls")
STATE_WORDS = {
    "ringing": "Ringing",
    "greeting": "Hears the greeting",
    "recording": "Leaves a message",
    "reviewing": "Reviews the message",
    "closing": "Hears the confirmation",
    "logging in": "Logs in",
    "retrieving": "Listens to messages",
    "transferring": "Goes to the operator",
    "programmed": "Is served by a document",
}


@blueprint.get("")
@login_required
def index() -> AnyResponse:
    """The page; HTMX gets what changes on it, and nothing where it names what it shows by `version`."""
    parts = ("calls/_rows.html", "calls/_about.html", "calls/_workers.html")
    return htmx.renewed("calls/index.html", "calls/_poll.html", parts, _context())


def _context() -> dict[str, Any]:
    now = utc_now()
    context: dict[str, Any] = {
        "away": "",
        "workers": [],
        "calls": [],
        "total": 0,
        "zone": settings().timezone,
        "traces": {},
    }
    try:
        found = workers.calls()
        context |= {"workers": [_worker(row) for row in workers.live()], "calls": found.calls, "total": found.total}
        context["traces"] = _traces(found.calls)
    except Unavailable as error:
        context["away"] = error.message
    return context | {"state_words": STATE_WORDS, "age": lambda since: (now - since).total_seconds()}


def _traces(found: list[workers.LiveCall]) -> dict[str, str]:
    """Sids of the calls that have a trace, by Call-ID; nothing for who may not see traces, or without a database."""
    if current_user.role != ADMIN:
        return {}
    try:
        return programmed.by_sip_call_ids([call.call_id for call in found if call.call_id])
    except SQLAlchemyError:
        db.session.rollback()
        return {}


def _worker(row: dict[str, Any]) -> dict[str, Any]:
    """A worker's line; what another version of it may not say is left out."""
    return row | {"started_at": workers.moment(row.get("started_at"))}
