"""Log in, log out."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response as AnyResponse

from app.extensions import limiter
from app.models import User
from app.services import sessions, users
from app.web import access, htmx, limits, notices, security
from app.web.access import safe_path
from app.web.forms import LoginForm

blueprint = Blueprint("auth", __name__)
WRONG = "User name or password is wrong."


def _was_wrong(response: Response) -> bool:
    return response.status_code == 422


@blueprint.get("/login")
def login() -> AnyResponse:
    """The page to log in on."""
    if current_user.is_authenticated:
        return redirect(safe_path(request.args.get("next")) or url_for("mailboxes.index"))
    return _page(LoginForm(data={"next": safe_path(request.args.get("next"))}), 200)


@blueprint.post("/login")
@limiter.limit(limits.login_attempts, key_func=limits.by_address, deduct_when=_was_wrong)
@limiter.limit(limits.login_attempts, key_func=limits.by_user_name, deduct_when=_was_wrong)
def log_in() -> AnyResponse:
    """Check name and password; only wrong ones count against the limit."""
    form = LoginForm()
    if not form.validate_on_submit():
        return _page(form, 422)
    user = users.authenticate(form.text("name"), form.text("password"))
    if user is None:
        form.password.errors = [WRONG]
        return _page(form, 422)
    start_session(user)
    return htmx.go(safe_path(form.text("next")) or url_for("mailboxes.index"))


@blueprint.post("/logout")
def logout() -> AnyResponse:
    """End the session, also for whoever has a copy of its cookie."""
    token = session.get(access.TOKEN, "")
    logout_user()
    session.clear()
    if token:
        sessions.end(token)
    notices.tell("You are logged out.")
    return htmx.go(url_for("auth.login"))


def start_session(user: User) -> None:
    """A session of its own for a person who has just proved who they are."""
    session.clear()
    session.permanent = True
    session[access.TOKEN] = sessions.new_token()
    login_user(user)
    security.note_use()


def _page(form: LoginForm, status: int) -> Response:
    return htmx.answer(render_template("login.html", form=form), status)
