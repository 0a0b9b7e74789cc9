"""Numbers whose calls are answered by documents: the list, a page a number, create, edit, delete; mailboxes' own.

They decide which program a caller talks to, so administrators change them; the staff sees them.
"""

from __future__ import annotations

from flask import Blueprint, Flask, Response, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as AnyResponse
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from app.errors import Invalid
from app.models import Mailbox
from app.models.calls import CATCH_ALL
from app.models.user import ADMIN
from app.services import mailboxes, numbers, trace_text
from app.services.context import settings
from app.services.number_fields import METHODS
from app.services.numbers import Details, Line
from app.web import htmx, notices
from app.web.access import actor, admin_required, login_required
from app.web.forms import SeenForm, required
from app.web.mailbox_forms import LANGUAGE_CHOICES

blueprint = Blueprint("numbers", __name__, url_prefix="/console/voicemail")
HIGHEST_PAGE = 1_000_000
METHOD_CHOICES = [SelectChoice(method, method) for method in METHODS]


class DocumentForm(SeenForm):
    """Where documents come from; the fields are named as those of Details."""

    name = StringField("Name")
    language = SelectField("Language", choices=LANGUAGE_CHOICES)
    voice_url = StringField(
        "Voice URL", [required("Type the address of the document, such as https://example.com/voice.")]
    )
    voice_method = SelectField("Voice method", default=METHODS[0], choices=METHOD_CHOICES)
    fallback_url = StringField("Fallback URL")
    fallback_method = SelectField("Fallback method", default=METHODS[0], choices=METHOD_CHOICES)
    status_callback = StringField("Status callback")
    status_callback_method = SelectField("Callback method", default=METHODS[0], choices=METHOD_CHOICES)

    def details(self) -> Details:
        """What was typed."""
        return Details(**{name: self.text(name) for name in Details.__dataclass_fields__ if name in self._fields})


class NumberForm(DocumentForm):
    """A number, and where its documents come from."""

    number = StringField(
        "Number", [required(f"Type what callers dial, such as 5551234; {CATCH_ALL} is everything else.")]
    )


def init_app(app: Flask) -> None:
    """Let templates name numbers, and show addresses without the secrets in them."""
    app.add_template_filter(title_of, "number_title")
    app.add_template_filter(trace_text.masked, "masked")


def title_of(line: Line) -> str:
    """What a number is called on pages."""
    if line.extension:
        return f"Mailbox {line.extension}"
    return "All other calls" if line.number.number == CATCH_ALL else str(line.number.number)


@blueprint.get("/numbers")
@login_required
def index() -> AnyResponse:
    """The list; HTMX gets what a search finds."""
    search = request.args.get("search", "")[:100]
    page = min(request.args.get("page", 1, type=int), HIGHEST_PAGE)
    listing = numbers.page(search, page, addresses=current_user.role == ADMIN)
    context = {"listing": listing, "search": search, "enabled": settings().programmable.enabled}
    return htmx.answer(render_template("numbers/_list.html" if htmx.wanted() else "numbers/index.html", **context))


@blueprint.get("/numbers/new")
@admin_required
def new() -> AnyResponse:
    """The form of a new number."""
    return _form_page(NumberForm(data={"language": settings().language}), 200)


@blueprint.post("/numbers")
@admin_required
def create() -> AnyResponse:
    """Make a number."""
    form = NumberForm()
    if not form.validate_on_submit():
        return _form_page(form, 422)
    try:
        row = numbers.create(form.details(), actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _form_page(form, 422)
    return _saved(row.id)


@blueprint.get("/numbers/<id:number_id>")
@login_required
def show(number_id: str) -> AnyResponse:
    """The page of a number: what answers it, and its last calls."""
    line = numbers.get(number_id)
    warnings = numbers.warnings(line.number)
    return htmx.answer(render_template("numbers/show.html", line=line, number=line.number, warnings=warnings))


@blueprint.get("/numbers/<id:number_id>/edit")
@admin_required
def edit(number_id: str) -> AnyResponse:
    """The form of a number."""
    line = numbers.get(number_id)
    shown = vars(Details.of(line.number)) | {"seen_version": numbers.version(line.number)}
    return _form_page(_form_of(line)(data=shown), 200, line)


@blueprint.post("/numbers/<id:number_id>")
@admin_required
def update(number_id: str) -> AnyResponse:
    """Change a number."""
    line = numbers.get(number_id)
    form = _form_of(line)()
    if not form.validate_on_submit():
        return _form_page(form, 422, line)
    try:
        numbers.update(number_id, form.details(), seen=form.seen(), actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _form_page(form, 422, numbers.get(number_id))
    return _saved(number_id)


@blueprint.get("/numbers/<id:number_id>/delete")
@admin_required
def confirm_delete(number_id: str) -> AnyResponse:
    """Ask before a number is deleted."""
    return htmx.answer(render_template("numbers/delete.html", line=numbers.get(number_id)))


@blueprint.post("/numbers/<id:number_id>/delete")
@admin_required
def delete(number_id: str) -> AnyResponse:
    """Delete a number."""
    line = numbers.get(number_id)
    title = title_of(line)
    numbers.delete(number_id, actor=actor())
    if line.extension:
        notices.tell(f"Mailbox {line.extension} answers with its greeting again.")
        return htmx.go(url_for("messages.index", extension=line.extension))
    notices.tell(f"{title}: documents no longer answer.")
    return htmx.go(url_for("numbers.index"))


@blueprint.get("/mailboxes/<extension:extension>/document")
@admin_required
def own(extension: str) -> AnyResponse:
    """The form of a mailbox's own document; where it has one, on to that."""
    box = mailboxes.get(extension)
    if row := numbers.of_mailbox(box.id):
        return htmx.go(url_for("numbers.edit", number_id=row.id))
    return _form_page(DocumentForm(data={"language": box.language, "seen_id": box.id}), 200, box=box)


@blueprint.post("/mailboxes/<extension:extension>/document")
@admin_required
def create_own(extension: str) -> AnyResponse:
    """Give a mailbox a document of its own."""
    form = DocumentForm()
    box = mailboxes.get(extension, seen=form.seen())
    if not form.validate_on_submit():
        return _form_page(form, 422, box=box)
    try:
        row = numbers.create(form.details(), extension=extension, seen=form.seen(), actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _form_page(form, 422, box=mailboxes.get(extension))
    return _saved(row.id)


def _saved(number_id: str) -> AnyResponse:
    line = numbers.get(number_id)
    notices.tell(f"{title_of(line)}: documents answer from the next call on.")
    return htmx.go(url_for("numbers.show", number_id=number_id))


def _form_of(line: Line) -> type[DocumentForm]:
    return DocumentForm if line.extension else NumberForm


def _form_page(form: DocumentForm, status: int, line: Line | None = None, box: Mailbox | None = None) -> Response:
    """The form of what there is, of a mailbox's first document, or of a new number."""
    present = ""
    if line is not None:
        number_id = line.number.id
        present = url_for("numbers.edit", number_id=number_id)
        target, back = url_for("numbers.update", number_id=number_id), url_for("numbers.show", number_id=number_id)
        title = title_of(line)
    elif box is not None:
        target = url_for("numbers.create_own", extension=box.extension)
        back, title = url_for("messages.index", extension=box.extension), f"Mailbox {box.extension}"
    else:
        target, back, title = url_for("numbers.create"), url_for("numbers.index"), ""
    template = "numbers/_form.html" if htmx.wanted() else "numbers/edit.html"
    context = {"target": target, "back": back, "title": title, "present": present}
    return htmx.answer(render_template(template, form=form, **context), status)
