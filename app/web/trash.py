"""The end of what is in the trash, before its days are over: each asks first, and none can be undone."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from app.errors import Invalid
from app.extensions import db
from app.models.base import database_now
from app.services import mailboxes, messages, purge
from app.web import htmx, notices
from app.web.access import actor, login_required
from app.web.words import caller

blueprint = Blueprint("trash", __name__, url_prefix="/console/voicemail")


@blueprint.get("/messages/<id:message_id>/purge")
@login_required
def confirm_purge(message_id: str) -> AnyResponse:
    """Ask before a message goes for good."""
    message = messages.get(message_id)
    if message.deleted_at is None:
        return _back(message.mailbox.extension)
    return htmx.answer(render_template("trash/purge.html", message=message, mailbox=message.mailbox))


@blueprint.post("/messages/<id:message_id>/purge")
@login_required
def purge_message(message_id: str) -> AnyResponse:
    """Delete a message of the trash for good."""
    message = messages.get(message_id)
    extension, said = message.mailbox.extension, caller(message)
    purge.delete_for_good(message_id, actor=actor())
    notices.tell(f"The message from {said} is gone for good.")
    return _back(extension)


@blueprint.get("/<extension:extension>/empty-trash")
@login_required
def confirm_empty(extension: str) -> AnyResponse:
    """Ask before all that is in the trash now goes for good."""
    mailbox = mailboxes.get(extension)
    until: datetime = db.session.execute(select(database_now())).scalar_one()
    count = messages.counts(extension)["trash"]
    if not count:
        return _back(extension)
    return htmx.answer(render_template("trash/empty.html", mailbox=mailbox, count=count, until=until.isoformat()))


@blueprint.post("/<extension:extension>/empty-trash")
@login_required
def empty(extension: str) -> AnyResponse:
    """Delete for good what was in the trash when the page asked."""
    gone = purge.empty_trash(extension, until=_until(), actor=actor())
    notices.tell(f"{gone} {'message is' if gone == 1 else 'messages are'} gone for good.")
    return _back(extension)


def _until() -> datetime:
    """The time of the page that asked: what came into the trash after it was not meant."""
    try:
        until = datetime.fromisoformat(request.form.get("until", ""))
        return until.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid({"until": "This page cannot be used. Go back to the trash and try again."}) from None


def _back(extension: str) -> AnyResponse:
    return htmx.go(url_for("messages.index", extension=extension, view="trash"))
