"""Recordings: https://www.twilio.com/docs/voice/api/recording."""

from __future__ import annotations

from email.utils import format_datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.account import API_VERSION
from app.api.twilio import access, lists
from app.models import Recording
from app.services import calls, recorded_audio, recording_end, recording_pages, recordings
from app.services.context import settings
from app.web.audio import MP3, WAV, as_mp3, audio_response

blueprint = Blueprint("twilio_recordings", __name__, url_prefix=f"/{API_VERSION}/Accounts/<sid:account_sid>")
access.init_blueprint(blueprint)


@blueprint.get("/Recordings.json")
def listing() -> Response:
    """All of the account, the newest first. ?CallSid, ?DateCreated, ?DateCreated<, ?DateCreated>, ?PageSize, ?Page."""
    return _listed("/Recordings.json", request.args.get("CallSid") or None)


@blueprint.get("/Calls/<sid:call_sid>/Recordings.json")
def of_call(call_sid: str) -> Response:
    """Those of a call."""
    calls.get(call_sid)
    return _listed(f"/Calls/{call_sid}/Recordings.json", call_sid)


@blueprint.get("/Recordings/<sid:sid>.json")
def fetch(sid: str) -> Response:
    """One of them."""
    return jsonify(as_json(recordings.get(sid)))


@blueprint.get("/Calls/<sid:call_sid>/Recordings/<sid:sid>.json")
def fetch_of_call(call_sid: str, sid: str) -> Response:
    """One of a call."""
    return jsonify(as_json(recordings.get(sid, call_sid=call_sid)))


@blueprint.delete("/Recordings/<sid:sid>.json")
@blueprint.delete("/Recordings/<sid:sid>")
def delete(sid: str) -> tuple[str, int]:
    """Delete it, and its audio; 204."""
    recording_end.delete(sid, actor=access.caller() or "")
    return "", 204


@blueprint.delete("/Calls/<sid:call_sid>/Recordings/<sid:sid>.json")
def delete_of_call(call_sid: str, sid: str) -> tuple[str, int]:
    """The same, by its call."""
    recording_end.delete(sid, call_sid=call_sid, actor=access.caller() or "")
    return "", 204


@blueprint.route("/Recordings/<sid:sid>", methods=["GET", "HEAD"])
@blueprint.route("/Recordings/<sid:sid>.wav", methods=["GET", "HEAD"])
def wav(sid: str) -> Response:
    """The audio as WAV, at the RecordingUrl itself too. ?Download=true offers a file name."""
    source = recorded_audio.open_audio(recordings.get(sid))
    return audio_response(source, f"{sid}.wav", content_type=WAV, download=_download())


@blueprint.route("/Recordings/<sid:sid>.mp3", methods=["GET", "HEAD"])
def mp3(sid: str) -> Response:
    """The audio as MP3."""
    source = as_mp3(recorded_audio.open_audio(recordings.get(sid)))
    return audio_response(source, f"{sid}.mp3", content_type=MP3, download=_download())


def as_json(recording: Recording) -> dict[str, Any]:
    """A recording in Twilio's form: dates by RFC 2822, its duration a text of whole seconds."""
    account = access.account()
    path = f"{account.path}/Recordings/{recording.sid}"
    return {
        "account_sid": account.sid,
        "api_version": API_VERSION,
        "call_sid": recording.call_sid,
        "conference_sid": None,
        "channels": 1,
        "date_created": format_datetime(recording.created_at),
        "date_updated": format_datetime(recording.created_at),
        "start_time": format_datetime(recording.started_at),
        "duration": recordings.whole_seconds(recording.duration),
        "encryption_details": None,
        "error_code": None,
        "price": None,
        "price_unit": "USD",
        "sid": recording.sid,
        "source": recording.source,
        "status": recording.status,
        "media_url": account.recording_url(settings().public_url, recording.sid),
        "subresource_uris": {},
        "uri": f"{path}.json",
    }


def _listed(path: str, call_sid: str | None) -> Response:
    page, days = lists.page_of(request.args), lists.days_of(request.args, "DateCreated")
    wanted = recording_pages.Wanted(call_sid, days.since, days.until)
    found = recording_pages.page(wanted, page)
    rows = [as_json(row) for row in found.rows]
    return jsonify(recordings=rows, **lists.facts(page, access.account().path + path, request.args, found))


def _download() -> bool:
    return request.args.get("Download", "").lower() == "true"
