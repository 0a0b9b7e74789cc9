"""Recordings of programmed calls, as the portal plays them."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.services import recordings
from app.web.access import admin_required
from app.web.audio import audio_response

blueprint = Blueprint("recordings", __name__, url_prefix="/console/voicemail/recordings")


@blueprint.route("/<sid:sid>/audio", methods=["GET", "HEAD"])
@admin_required
def audio(sid: str) -> Response:
    """The audio as WAV; ?download=1 offers a file name. Who sees a call's page may hear what was recorded on it."""
    source = recordings.open_audio(recordings.get(sid))
    return audio_response(source, f"{sid}.wav", download=request.args.get("download") == "1")
