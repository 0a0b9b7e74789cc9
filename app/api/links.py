"""Recordings by a signed link, as webhooks carry them: whoever has the link may listen until it expires."""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.api.messages import file_name
from app.models.base import utc_now
from app.services import audio_links, messages
from app.web.audio import audio_response

blueprint = Blueprint("api_links", __name__, url_prefix=audio_links.PATH)


@blueprint.route("/<id:message_id>/audio", methods=["GET", "HEAD"])
def audio(message_id: str) -> Response:
    """The recording as WAV. 403: the signature is wrong; 410: the link has expired; 404: the message is gone."""
    audio_links.check(message_id, request.args.get("expires", ""), request.args.get("signature", ""), utc_now())
    message = messages.get(message_id)
    return audio_response(messages.open_audio(message), f"{file_name(message)}.wav")
