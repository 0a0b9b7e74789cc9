"""People of the portal, for administrators."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.errors import Invalid
from app.services import users
from app.web import htmx, notices
from app.web.access import actor, admin_required
from app.web.forms import NewUserForm, SetPasswordForm

blueprint = Blueprint("users", __name__, url_prefix="/console/users")


@blueprint.get("")
@admin_required
def index() -> AnyResponse:
    """Everybody, and the form of one more."""
    return _page(NewUserForm(), 200)


@blueprint.post("")
@admin_required
def create() -> AnyResponse:
    """One more person."""
    form = NewUserForm()
    if not form.validate_on_submit():
        return _page(form, 422)
    try:
        user = users.create(form.text("name"), form.text("password"), form.text("role"), actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _page(form, 422)
    notices.tell(f"{user.name} may log in now. Tell them their password, and to change it.")
    return _back()


@blueprint.post("/<id:user_id>/role")
@admin_required
def set_role(user_id: str) -> AnyResponse:
    """Make a person admin or staff."""
    try:
        user = users.set_role(user_id, request.form.get("role", ""), actor=actor())
        notices.tell(f"{user.name} is {user.role} now.")
    except Invalid as error:
        notices.tell(error.message, notices.PROBLEM)
    return _back()


@blueprint.post("/<id:user_id>/active")
@admin_required
def set_active(user_id: str) -> AnyResponse:
    """Let a person in, or keep them out."""
    try:
        user = users.set_active(user_id, request.form.get("active") == "yes", actor=actor())
        notices.tell(f"{user.name} {'may log in again' if user.active else 'cannot log in any more'}.")
    except Invalid as error:
        notices.tell(error.message, notices.PROBLEM)
    return _back()


@blueprint.post("/<id:user_id>/remove")
@admin_required
def remove(user_id: str) -> AnyResponse:
    """Remove a person."""
    try:
        users.remove(user_id, actor=actor())
        notices.tell("The user is removed.")
    except Invalid as error:
        notices.tell(error.message, notices.PROBLEM)
    return _back()


@blueprint.get("/<id:user_id>/password")
@admin_required
def password(user_id: str) -> AnyResponse:
    """The form of another person's password."""
    return _password_page(user_id, SetPasswordForm(), 200)


@blueprint.post("/<id:user_id>/password")
@admin_required
def set_password(user_id: str) -> AnyResponse:
    """Give a person another password, which ends their sessions."""
    form = SetPasswordForm()
    if not form.validate_on_submit():
        return _password_page(user_id, form, 422)
    try:
        user = users.set_password(user_id, form.text("password"), actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _password_page(user_id, form, 422)
    notices.tell(f"{user.name} has a new password.")
    return _back()


def _page(form: NewUserForm, status: int) -> Response:
    if htmx.wanted():
        return htmx.answer(render_template("users/_new_form.html", form=form), status)
    return htmx.answer(render_template("users/index.html", users=users.listing(), form=form), status)


def _password_page(user_id: str, form: SetPasswordForm, status: int) -> Response:
    template = "users/_password_form.html" if htmx.wanted() else "users/password.html"
    return htmx.answer(render_template(template, user=users.get(user_id), form=form), status)


def _back() -> AnyResponse:
    return htmx.go(url_for("users.index"))
