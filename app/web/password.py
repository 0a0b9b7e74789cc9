"""One's own password."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, url_for
from flask_login import current_user
from werkzeug.wrappers import Response as AnyResponse

from app.errors import Invalid
from app.extensions import limiter
from app.services import users
from app.web import htmx, limits, notices
from app.web.access import login_required
from app.web.auth import start_session
from app.web.forms import OwnPasswordForm

blueprint = Blueprint("password", __name__, url_prefix="/console/password")


def _was_wrong(response: Response) -> bool:
    return response.status_code == 422


@blueprint.get("")
@login_required
def index() -> AnyResponse:
    """The form."""
    return _page(OwnPasswordForm(), 200)


@blueprint.post("")
@login_required
@limiter.limit(limits.login_attempts, key_func=limits.by_user, deduct_when=_was_wrong)
def change() -> AnyResponse:
    """Change it; every other session of this person ends. Only what was refused counts against the limit."""
    form = OwnPasswordForm()
    if not form.validate_on_submit():
        return _page(form, 422)
    try:
        user = users.change_own_password(current_user.id, form.text("current"), form.text("password"))
    except Invalid as error:
        form.refuse(error)
        return _page(form, 422)
    start_session(user)
    notices.tell("Your password is changed. Everywhere else you are logged out.")
    return htmx.go(url_for("mailboxes.index"))


def _page(form: OwnPasswordForm, status: int) -> Response:
    template = "password/_form.html" if htmx.wanted() else "password/index.html"
    return htmx.answer(render_template(template, form=form), status)
