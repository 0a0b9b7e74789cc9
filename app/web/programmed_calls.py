"""Programmed calls: the list, and the trace of each; both renew themselves."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, Response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.extensions import db
from app.models import Call, Number, Recording
from app.services import calls, fields, recorded_audio, recordings
from app.services.context import settings
from app.web import htmx, simulator, trace_view
from app.web.access import admin_required
from app.web.audio import audio_response
from app.web.words import fingerprint, today

blueprint = Blueprint("programmed_calls", __name__, url_prefix="/console/voicemail/programmed-calls")
PER_PAGE = 50
LATEST = 10
# What htmx takes for: show this, and do not ask again.
STOP_POLLING = 286


def init_app(app: Flask) -> None:
    """Let a number's page show its last calls, and templates say what traces hold."""
    app.add_template_global(latest, "latest_programmed_calls")
    app.add_template_global(simulator.blank_form, "simulator_form")
    app.add_template_global(lambda: settings().timezone, "instance_zone")
    for function in (trace_view.visible, trace_view.offset_words, trace_view.seconds_words):
        app.add_template_filter(function)
    app.add_template_filter(status_words)
    app.add_template_filter(calls.went_wrong, "went_wrong")


@blueprint.get("")
@admin_required
def index() -> AnyResponse:
    """The list, of one number (its id, or as it is dialled) or of all; only those that failed, if wanted.

    HTMX gets what changes on it, and nothing where it names what it shows by `version`.
    """
    wanted, failed = request.args.get("number", ""), request.args.get("failed") == "1"
    cursor = request.args.get("cursor", "")
    number = db.session.get(Number, wanted) if fields.is_id(wanted) else None
    rows, following = calls.listing(
        number_id=number.id if number else "",
        called="" if number else fields.searchable(wanted),
        failed=failed,
        cursor=cursor,
        limit=PER_PAGE,
    )
    context = {
        "rows": rows,
        "following": following,
        "cursor": cursor,
        "chosen": {"number": wanted or None, "failed": "1" if failed else None},
        "number": number,
        "zone": settings().timezone,
    }
    parts = ("programmed_calls/_list.html", "programmed_calls/_pager.html")
    return htmx.renewed("programmed_calls/index.html", "programmed_calls/_poll_list.html", parts, context)


@blueprint.get("/<sid:sid>")
@admin_required
def show(sid: str) -> AnyResponse:
    """A call with its trace; HTMX gets what changes on it, and nothing where it names what it shows by `version`."""
    call = calls.get(sid)
    recorded = recordings.of_call(sid)
    day = str(today(settings().timezone))
    version = fingerprint(repr((calls.look(call), [(one.sid, one.duration) for one in recorded], day)))
    if htmx.wanted() and request.args.get("version") == version:
        return htmx.unchanged()
    if not htmx.wanted():
        return htmx.answer(render_template("programmed_calls/show.html", version=version, **_context(call, recorded)))
    body = render_template("programmed_calls/_poll.html", version=version, **_context(call, recorded))
    return htmx.answer(body, 200 if call.status in calls.RUNNING else STOP_POLLING)


@blueprint.route("/<sid:sid>/recordings/<sid:recording_sid>.wav", methods=["GET", "HEAD"])
@admin_required
def recording(sid: str, recording_sid: str) -> Response:
    """A recording of the call; ?download=1 offers a file name."""
    source = recorded_audio.open_audio(recordings.get(recording_sid, call_sid=sid))
    return audio_response(source, f"{recording_sid}.wav", download=request.args.get("download") == "1")


def _context(call: Call, recorded: list[Recording]) -> dict[str, Any]:
    running = call.status in calls.RUNNING
    return {
        "call": call,
        "running": running,
        "recordings": recorded,
        "number": db.session.get(Number, call.number_id) if call.number_id else None,
        "lines": trace_view.lines(calls.steps(call.sid), call.started_at, over=not running),
        "zone": settings().timezone,
    }


def latest(number_id: str) -> list[Call]:
    """The last calls of a number."""
    return calls.latest(number_id, LATEST)


def status_words(call: Call) -> str:
    """What a call is doing, or how it ended."""
    return trace_view.STATUS_WORDS.get(call.status, trace_view.visible(call.status))
