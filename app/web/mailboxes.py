"""Mailboxes: the list, create, edit, PIN, delete."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, render_template, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as AnyResponse

from app.config import Settings
from app.errors import Invalid, Unavailable
from app.models import Mailbox
from app.models.base import utc_now
from app.services import greetings, mailboxes, phone_access, pins
from app.web import htmx, notices
from app.web.access import actor, login_required
from app.web.forms import DeleteMailboxForm, PinForm
from app.web.mailbox_forms import MailboxDetailsForm, NewMailboxForm, placeholders, timezones
from app.web.words import fingerprint

blueprint = Blueprint("mailboxes", __name__, url_prefix="/console/voicemail")
HIGHEST_PAGE = 1_000_000


@blueprint.get("")
@login_required
def index() -> AnyResponse:
    """The list; HTMX gets its rows, and nothing where they are those it names by `version`."""
    search = request.args.get("search", "")[:100]
    page = min(request.args.get("page", 1, type=int), HIGHEST_PAGE)
    context = {"listing": mailboxes.page(search, page), "search": search, "now": utc_now()}
    rows = render_template("mailboxes/_rows.html", **context)
    version = fingerprint(rows)
    if not htmx.wanted():
        return htmx.answer(render_template("mailboxes/index.html", rows=rows, version=version, **context))
    if request.args.get("version") == version:
        return htmx.unchanged()
    return htmx.answer(render_template("mailboxes/_list.html", rows=rows, version=version, **context))


@blueprint.get("/mailboxes/new")
@login_required
def new() -> AnyResponse:
    """The form of a new mailbox."""
    settings: Settings = current_app.extensions["settings"]
    return _new_page(NewMailboxForm(data={"language": settings.language, "timezone": settings.timezone}), 200)


@blueprint.post("/mailboxes")
@login_required
def create() -> AnyResponse:
    """Make a mailbox; a PIN that was made for it is shown once."""
    form = NewMailboxForm()
    if not form.validate_on_submit():
        return _new_page(form, 422)
    extension, typed = form.text("extension").strip(), form.text("pin").strip()
    pin = typed or pins.generate(extension)
    try:
        mailbox = mailboxes.create(extension, pin=pin, **_details(form), options=form.options(), actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _new_page(form, 422)
    notices.tell(f"Mailbox {mailbox.extension} is ready.")
    _take_greeting(mailbox.extension, form.greeting.data)
    if typed:
        return htmx.go(url_for("messages.index", extension=mailbox.extension))
    return _pin_shown(mailbox.extension, pin)


@blueprint.get("/mailboxes/<extension:extension>/edit")
@login_required
def edit(extension: str) -> AnyResponse:
    """The form of a mailbox."""
    mailbox = mailboxes.get(extension)
    return _edit_page(mailbox, MailboxDetailsForm.of(mailbox), 200)


@blueprint.post("/mailboxes/<extension:extension>")
@login_required
def update(extension: str) -> AnyResponse:
    """Change a mailbox, but not another one than the form was opened for."""
    form = MailboxDetailsForm()
    mailbox = mailboxes.get(extension, seen=form.seen())
    if not form.validate_on_submit():
        return _edit_page(mailbox, form, 422)
    try:
        mailbox = mailboxes.update(
            extension,
            new_extension=form.text("extension"),
            **_details(form),
            options=form.options(),
            seen=form.seen(),
            actor=actor(),
        )
    except Invalid as error:
        form.refuse(error)
        return _edit_page(mailboxes.get(extension), form, 422)
    notices.tell(f"Mailbox {mailbox.extension} is changed.")
    return htmx.go(url_for("messages.index", extension=mailbox.extension))


@blueprint.get("/mailboxes/<extension:extension>/reset-pin")
@login_required
def pin(extension: str) -> AnyResponse:
    """The form of another PIN."""
    mailbox = mailboxes.get(extension)
    return _pin_page(mailbox, PinForm(data={"seen_id": mailbox.id}), 200)


@blueprint.post("/mailboxes/<extension:extension>/reset-pin")
@login_required
def reset_pin(extension: str) -> AnyResponse:
    """Give a mailbox the PIN that was typed, or one that is made and shown once."""
    form = PinForm()
    mailbox = mailboxes.get(extension, seen=form.seen())
    if not form.validate_on_submit():
        return _pin_page(mailbox, form, 422)
    typed = form.text("pin").strip()
    made = typed or pins.generate(extension)
    try:
        mailboxes.reset_pin(extension, made, seen=form.seen(), actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _pin_page(mailbox, form, 422)
    notices.tell(f"Mailbox {extension} has a new PIN.")
    if typed:
        return htmx.go(url_for("messages.index", extension=extension))
    return _pin_shown(extension, made)


@blueprint.post("/mailboxes/<extension:extension>/unlock")
@login_required
def unlock(extension: str) -> AnyResponse:
    """End the lock of a mailbox's telephone access."""
    phone_access.unlock(extension, actor=actor())
    notices.tell(f"The owner of mailbox {extension} may log in by phone again.")
    return htmx.go(url_for("messages.index", extension=extension))


@blueprint.get("/mailboxes/<extension:extension>/delete")
@login_required
def confirm_delete(extension: str) -> AnyResponse:
    """Ask for the extension before a mailbox is deleted."""
    mailbox = mailboxes.get(extension)
    return _delete_page(mailbox, DeleteMailboxForm(data={"seen_id": mailbox.id}), 200)


@blueprint.post("/mailboxes/<extension:extension>/delete")
@login_required
def delete(extension: str) -> AnyResponse:
    """Delete a mailbox whose extension was typed again, but not another one than was asked about."""
    form = DeleteMailboxForm()
    mailbox = mailboxes.get(extension, seen=form.seen())
    if not form.validate_on_submit():
        return _delete_page(mailbox, form, 422)
    try:
        mailboxes.delete(extension, confirm=form.text("confirm"), seen=form.seen(), actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _delete_page(mailboxes.get(extension), form, 422)
    notices.tell(f"Mailbox {extension} is deleted.")
    return htmx.go(url_for("mailboxes.index"))


def _details(form: MailboxDetailsForm) -> dict[str, Any]:
    return {name: form.text(name) for name in ("name", "email", "language", "timezone")}


def _take_greeting(extension: str, upload: FileStorage | None) -> None:
    """The mailbox stands already: a greeting that cannot be used is told, not a reason to begin again.

    Nor is a store that does not answer: the PIN that was made is known to nobody until this request has shown it.
    """
    if not upload or not upload.filename:
        return
    try:
        greetings.set_greeting(extension, upload.stream, actor=actor())
    except (Invalid, Unavailable) as error:
        now = "The default greeting plays until you upload one."
        notices.tell(f"The greeting was not taken. {error.message} {now}", notices.PROBLEM)


def _new_page(form: NewMailboxForm, status: int) -> Response:
    """The form; a whole page comes without the file that was chosen, which its browser does not keep."""
    if form.greeting.data and not htmx.wanted():
        form.refuse(Invalid({"greeting": "Choose the greeting again."}))
    return _form_page("mailboxes/new.html", "mailboxes/_new_form.html", form, status, **_choices())


def _edit_page(mailbox: Mailbox, form: MailboxDetailsForm, status: int) -> Response:
    return _form_page("mailboxes/edit.html", "mailboxes/_edit_form.html", form, status, mailbox=mailbox, **_choices())


def _choices() -> dict[str, Any]:
    return {"timezones": timezones(), "placeholders": placeholders()}


def _pin_page(mailbox: Mailbox, form: PinForm, status: int) -> Response:
    return _form_page("mailboxes/pin.html", "mailboxes/_pin_form.html", form, status, mailbox=mailbox)


def _pin_shown(extension: str, pin: str) -> Response:
    """The new PIN, in the answer itself: it is kept nowhere, not even in a cookie."""
    if not htmx.wanted():
        return htmx.answer(render_template("mailboxes/pin_shown.html", extension=extension, pin=pin))
    shown = render_template("mailboxes/_pin_shown.html", extension=extension, pin=pin)
    return htmx.in_place_of_page(htmx.answer(shown + render_template("_notices_beside.html")))


def _delete_page(mailbox: Mailbox, form: DeleteMailboxForm, status: int) -> Response:
    return _form_page("mailboxes/delete.html", "mailboxes/_delete_form.html", form, status, mailbox=mailbox)


def _form_page(page: str, fragment: str, form: object, status: int, **context: object) -> Response:
    return htmx.answer(render_template(fragment if htmx.wanted() else page, form=form, **context), status)
