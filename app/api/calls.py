"""Calls in progress."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify

from app.api import access
from app.services import workers

blueprint = Blueprint("api_calls", __name__, url_prefix="/api/voicemail")
blueprint.before_request(access.check)


@blueprint.get("/calls")
def listing() -> Response:
    """Calls in progress, oldest first; a token of one mailbox sees that mailbox's. 503 while Redis is away."""
    found = workers.calls(access.caller().mailbox_id)
    return jsonify(calls=[as_json(call) for call in found.calls], total=found.total)


def as_json(call: workers.LiveCall) -> dict[str, Any]:
    """A call as programs see it; times are UTC, RFC 3339."""
    return {
        "id": call.key,
        "extension": call.extension,
        "caller": call.caller_number,
        "caller_name": call.caller_name,
        "state": call.state,
        "on_hold": call.held,
        "since": call.since.isoformat(),
        "packets_received": call.received,
        "packets_lost": call.lost,
        "packets_lost_by_caller": call.lost_there,
        "worker": call.worker,
    }
