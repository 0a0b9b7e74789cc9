"""The mails of a mailbox: how they look, and a test of whether they arrive."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.config import Settings
from app.delivery.errors import PermanentError
from app.mail import facts, trial
from app.mail.compose import texts_of
from app.mail.sender import Address, sender_of
from app.mail.templates import Texts
from app.models import Mailbox
from app.models.mailbox import NO_ATTACHMENT
from app.services import addresses, after_mailing, mailboxes
from app.web import htmx
from app.web.access import actor, login_required

blueprint = Blueprint("mail", __name__, url_prefix="/console/voicemail/mailboxes/<extension:extension>/mail")
TITLES = {
    facts.MESSAGE: "A message",
    "nearly_full": "Nearly full",
    "full": "Full",
    "locked": "Locked",
    "pin_changed": "PIN changed",
    "greeting_changed": "Greeting changed",
}
# The mail brings its own styles, and nothing else of it is to do anything in the portal.
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"


@blueprint.get("")
@login_required
def preview(extension: str) -> AnyResponse:
    """A mail as text and as HTML, with what it would be about."""
    mailbox, kind = mailboxes.get(extension), _kind()
    settings: Settings = current_app.extensions["settings"]
    return htmx.answer(
        render_template(
            "mails/preview.html",
            mailbox=mailbox,
            titles=TITLES,
            kind=kind,
            texts=_texts(mailbox, kind, settings),
            **_about(mailbox, settings),
        )
    )


@blueprint.get("/html")
@login_required
def html(extension: str) -> Response:
    """The HTML of a mail alone, for a frame of the preview."""
    settings: Settings = current_app.extensions["settings"]
    response = make_response(_texts(mailboxes.get(extension), _kind(), settings).html)
    response.headers["Content-Security-Policy"] = MAIL_POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@blueprint.post("/test")
@login_required
def test(extension: str) -> AnyResponse:
    """Send an example to each address of the mailbox, and show what the server says to it."""
    mailbox = mailboxes.get(extension)
    settings: Settings = current_app.extensions["settings"]
    answers = trial.send(mailbox, settings, actor=actor())
    context = {"mailbox": mailboxes.get(extension), "answers": answers}
    page = "mails/_answers.html" if htmx.wanted() else "mails/answers.html"
    return htmx.answer(render_template(page, **context))


def _about(mailbox: Mailbox, settings: Settings) -> dict[str, Any]:
    try:
        sender = sender_of(settings)
    except PermanentError:
        sender = Address("", settings.smtp.sender)
    return {
        "sender": sender,
        "recipients": addresses.split(mailbox.email),
        "server": settings.smtp.host,
        "attachment": after_mailing.attachment_of(mailbox),
    }


def _texts(mailbox: Mailbox, kind: str, settings: Settings) -> Texts:
    kept = after_mailing.attachment_of(mailbox)
    return texts_of(facts.example(kind, mailbox, settings), settings, "" if kept == NO_ATTACHMENT else kept)


def _kind() -> str:
    kind = request.args.get("kind", facts.MESSAGE)
    return kind if kind in TITLES else facts.MESSAGE
