"""The greeting of a mailbox: upload, listen, remove."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.errors import Invalid, NotFound
from app.services import greetings, mailboxes
from app.web import htmx, notices
from app.web.access import actor, login_required
from app.web.audio import audio_response
from app.web.forms import GreetingForm

blueprint = Blueprint("greetings", __name__, url_prefix="/console/voicemail")
NO_FILE = "Choose a sound file: WAV, MP3, Ogg or FLAC."


@blueprint.get("/<extension:extension>/greeting/audio")
@login_required
def audio(extension: str) -> AnyResponse:
    """The greeting as callers hear it."""
    greeting = greetings.find(extension)
    if greeting is None:
        raise NotFound("This mailbox has no greeting of its own.")
    return audio_response(greetings.open_greeting(greeting), f"greeting-{extension}.wav")


@blueprint.post("/mailboxes/<extension:extension>/greeting")
@login_required
def upload(extension: str) -> AnyResponse:
    """Take a sound file as the greeting."""
    form, file = GreetingForm(), request.files.get("greeting")
    if not form.validate_on_submit() or file is None or not file.filename:
        form.greeting.errors = [NO_FILE]
        return _page(extension, form)
    try:
        greetings.set_greeting(extension, file.stream, actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _page(extension, form)
    notices.tell("The new greeting plays from the next call on.")
    return htmx.go(url_for("messages.index", extension=extension))


@blueprint.post("/mailboxes/<extension:extension>/greeting/remove")
@login_required
def remove(extension: str) -> AnyResponse:
    """Let the default greeting play again."""
    greetings.remove_greeting(extension, actor=actor())
    notices.tell("The greeting is removed. Callers hear the default one.")
    return htmx.go(url_for("messages.index", extension=extension))


def _page(extension: str, form: GreetingForm) -> AnyResponse:
    context = {"mailbox": mailboxes.get(extension), "greeting": greetings.find(extension), "greeting_form": form}
    template = "greetings/_greeting.html" if htmx.wanted() else "greetings/page.html"
    return htmx.answer(render_template(template, **context), 422)
