"""The greetings of a mailbox: upload, listen, remove; one of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.errors import Invalid, NotFound
from app.models import Greeting, Mailbox
from app.models.base import utc_now
from app.models.greeting import BUSY, KINDS, NAME, TEMPORARY, UNAVAILABLE
from app.services import greetings, mailboxes
from app.web import htmx, notices
from app.web.access import actor, login_required
from app.web.audio import audio_response
from app.web.forms import GreetingForm
from app.web.words import language_name, until

blueprint = Blueprint("greetings", __name__, url_prefix="/console/voicemail")
NO_FILE = "Choose a sound file: WAV, MP3, Ogg or FLAC."
AGAIN = "Choose the sound file again."
NO_TIME = "Type a day and a time, such as 2026-12-24 18:00."
TITLES = {UNAVAILABLE: "Nobody answers", BUSY: "Busy", TEMPORARY: "Temporary", NAME: "Recorded name"}


@dataclass(frozen=True)
class Item:
    """A kind of greeting as the card shows it: its greeting, if there is one, and what callers hear."""

    kind: str
    title: str
    greeting: Greeting | None
    about: str
    form: GreetingForm


@blueprint.get("/<extension:extension>/greeting/audio")
@login_required
def audio(extension: str) -> AnyResponse:
    """A greeting as callers hear it."""
    kind = _kind(request.args)
    greeting = greetings.find(extension, kind)
    if greeting is None:
        raise NotFound("This mailbox has no greeting of its own.")
    name = f"greeting-{extension}" if kind == UNAVAILABLE else f"greeting-{extension}-{kind}"
    return audio_response(greetings.open_greeting(greeting), f"{name}.wav")


@blueprint.post("/mailboxes/<extension:extension>/greeting")
@login_required
def upload(extension: str) -> AnyResponse:
    """Take a sound file as a greeting; of the kind `unavailable` where none is named."""
    form, file, kind = GreetingForm(), request.files.get("greeting"), _kind(request.form)
    chosen = file if file is not None and file.filename else None
    only_end = chosen is None and kind == TEMPORARY and greetings.find(extension, kind) is not None
    if not form.validate_on_submit() or not (chosen or only_end):
        form.greeting.errors = [NO_FILE]
        return _page(extension, kind, form)
    try:
        ends_at = _moment(form.text("ends_at"), mailboxes.get(extension).timezone)
        if chosen is None:
            greetings.set_end(extension, ends_at, actor=actor())
        else:
            greetings.set_greeting(extension, chosen.stream, kind=kind, ends_at=ends_at, actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _page(extension, kind, form)
    notices.tell("The greeting has another end." if chosen is None else "The recording plays from the next call on.")
    return htmx.go(url_for("messages.index", extension=extension))


@blueprint.post("/mailboxes/<extension:extension>/greeting/remove")
@login_required
def remove(extension: str) -> AnyResponse:
    """Let the greeting that comes after this one play again."""
    kind = _kind(request.form)
    greetings.remove_greeting(extension, kind, actor=actor())
    notices.tell("The recorded name is removed." if kind == NAME else "The greeting is removed.")
    return htmx.go(url_for("messages.index", extension=extension))


def items(mailbox: Mailbox, kind: str = "", form: GreetingForm | None = None) -> list[Item]:
    """Each kind of greeting; `form` is that of one kind, as it was sent."""
    found = {greeting.kind: greeting for greeting in mailbox.greetings}
    return [_item(mailbox, one, found, form if form is not None and one == kind else None) for one in KINDS]


def _item(mailbox: Mailbox, kind: str, found: dict[str, Greeting], form: GreetingForm | None) -> Item:
    greeting = found.get(kind)
    form = form or GreetingForm(None, ends_at=_as_typed(greeting, mailbox.timezone))
    # A page has a form for each kind.
    if kind != UNAVAILABLE:
        form.greeting.id = f"greeting-{kind}"
    about = _about(mailbox, greeting) if greeting else _about_missing(mailbox, kind, found)
    return Item(kind, TITLES[kind], greeting, about, form)


def _about(mailbox: Mailbox, greeting: Greeting) -> str:
    if greeting.kind == NAME:
        return "Said with a standard sentence where there is no greeting."
    if greeting.kind != TEMPORARY:
        return "Your own plays."
    if greeting.ends_at is None:
        return "Plays in place of all others until it is removed."
    over = greeting.ends_at <= utc_now()
    when = until(greeting.ends_at, mailbox.timezone)
    return f"Ended {when}. The others play." if over else f"Plays in place of all others until {when}."


def _about_missing(mailbox: Mailbox, kind: str, found: dict[str, Greeting]) -> str:
    if kind == TEMPORARY:
        return "None. It would play in place of all others, until a day that you choose."
    if kind == NAME:
        return "None. It would be said with a standard sentence where there is no greeting."
    if kind == BUSY and UNAVAILABLE in found:
        return "Callers hear the greeting for when nobody answers."
    if NAME in found:
        return "Callers hear the recorded name with a standard sentence."
    return f"Callers hear the default greeting in {language_name(mailbox.language)}."


def _as_typed(greeting: Greeting | None, zone: str) -> str:
    """The end of a greeting as people type it, empty for none."""
    if greeting is None or greeting.ends_at is None:
        return ""
    return f"{greeting.ends_at.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"


def _moment(text: str, zone: str) -> datetime | None:
    """The time that was typed, in the mailbox's zone; None for nothing. Invalid."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid({"ends_at": NO_TIME}) from None


def _kind(values: Any) -> str:
    """The kind that an address or a form names; NotFound."""
    kind = str(values.get("kind") or UNAVAILABLE)
    if kind not in KINDS:
        raise NotFound("There is no such greeting.")
    return kind


def _page(extension: str, kind: str, form: GreetingForm) -> AnyResponse:
    """The card with what is wrong. It comes without the file: one that was not to blame has to be chosen again."""
    if form.greeting.data and not form.greeting.errors:
        form.refuse(Invalid({"greeting": AGAIN}))
    mailbox = mailboxes.get(extension)
    context = {"mailbox": mailbox, "greetings": items(mailbox, kind, form)}
    template = "greetings/_greetings.html" if htmx.wanted() else "greetings/page.html"
    return htmx.answer(render_template(template, **context), 422)
