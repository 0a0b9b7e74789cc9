"""Messages and their audio."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request, url_for

from app.api import access
from app.api.deliveries import delivery_json
from app.config import Settings
from app.errors import Invalid
from app.models import Message
from app.models.message import SAVED
from app.services import deliveries, messages
from app.services.message_facts import facts_of
from app.web.audio import MP3, WAV, as_mp3, audio_response
from app.web.words import caller as caller_of

blueprint = Blueprint("api", __name__, url_prefix="/api/voicemail")
blueprint.before_request(access.check)
DEFAULT_LIMIT, HIGHEST_LIMIT = 50, 200


@blueprint.get("/<extension:extension>/messages")
def listing(extension: str) -> Response:
    """Messages of a mailbox, newest first. ?status=all|new|saved|trash|discarded, ?limit=1..200, ?cursor=."""
    access.check_mailbox(extension)
    status = request.args.get("status", "all")
    if status not in messages.VIEWS:
        raise Invalid({"status": f"status is one of {', '.join(messages.VIEWS)}."})
    rows, following = messages.listing(
        extension, view=status, cursor=request.args.get("cursor"), limit=limit_of(request.args.get("limit"))
    )
    return jsonify(messages=_all_as_json(rows, extension), next=following)


@blueprint.route("/messages/<id:message_id>/audio", methods=["GET", "HEAD"])
def audio(message_id: str) -> Response:
    """The recording, WAV or ?format=mp3; ?download=1 offers a file name. Never marks the message as read.

    ?whole=1: with the silence or the tone that was cut off its end, as long as that is kept; 404 where it is not.
    """
    message = messages.get(message_id, mailbox_id=access.caller().mailbox_id)
    wanted = request.args.get("format", "wav")
    if wanted not in ("wav", "mp3"):
        raise Invalid({"format": "format is wav or mp3."})
    whole = request.args.get("whole") == "1"
    source = messages.open_whole(message) if whole else messages.open_audio(message)
    if wanted == "mp3":
        source = as_mp3(source)
    return audio_response(
        source,
        f"{file_name(message)}{'-whole' if whole else ''}.{wanted}",
        content_type=MP3 if wanted == "mp3" else WAV,
        download=request.args.get("download") == "1",
    )


@blueprint.post("/messages/<id:message_id>/read")
def read(message_id: str) -> Response:
    """Mark a message as read; 200 with the message."""
    who = access.caller()
    message = messages.mark(message_id, SAVED, actor=who.actor, mailbox_id=who.mailbox_id)
    return jsonify(as_json(message, message.mailbox.extension))


@blueprint.post("/messages/<id:message_id>/delete")
def delete(message_id: str) -> tuple[str, int]:
    """Put a message into the trash; 204."""
    who = access.caller()
    messages.trash(message_id, actor=who.actor, mailbox_id=who.mailbox_id)
    return "", 204


@blueprint.post("/messages/<id:message_id>/deliveries/retry")
def retry(message_id: str) -> Response:
    """Try all deliveries of a message again that failed or wait for another try; 200 with the message."""
    who = access.caller()
    message, _ = deliveries.retry_message(message_id, actor=who.actor, mailbox_id=who.mailbox_id)
    return jsonify(as_json(message, message.mailbox.extension))


def as_json(message: Message, extension: str) -> dict[str, Any]:
    """A message as programs see it; times are UTC, RFC 3339."""
    return _all_as_json([message], extension)[0]


def _all_as_json(rows: Sequence[Message], extension: str) -> list[dict[str, Any]]:
    attempts = deliveries.histories(delivery.id for row in rows for delivery in row.deliveries)
    hosts = deliveries.webhook_hosts(delivery for row in rows for delivery in row.deliveries)
    return [
        {
            **facts_of(row, extension),
            "audio_url": _audio_url(row.id),
            "deliveries": [delivery_json(one, attempts.get(one.id, []), hosts) for one in row.deliveries],
        }
        for row in rows
    ]


def _audio_url(message_id: str) -> str:
    settings: Settings = current_app.extensions["settings"]
    if settings.web.public_url:
        return settings.public_url + url_for("api.audio", message_id=message_id)
    return url_for("api.audio", message_id=message_id, _external=True)


def file_name(message: Message) -> str:
    """A name for a recording that is kept, without its ending."""
    when = message.received_at.strftime("%Y-%m-%d-%H%M%S")
    return f"voicemail-{message.mailbox.extension}-{when}-{message.caller_number or caller_of(message)}"


def limit_of(text: str | None) -> int:
    """How many rows ?limit= asks for; Invalid."""
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= HIGHEST_LIMIT):
        raise Invalid({"limit": f"limit is a number from 1 to {HIGHEST_LIMIT}."})
    return int(text)
