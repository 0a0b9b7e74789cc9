"""Who may do what: sessions, roles, and the name under which acts are recorded."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import Flask, redirect, request, session, url_for
from flask_login import current_user
from flask_login import login_required as _login_required
from werkzeug.wrappers import Response

from app.errors import Forbidden, NotFound
from app.extensions import login_manager
from app.models import User
from app.models.user import ADMIN
from app.services import sessions, users
from app.web import htmx, security

POLL_PREFIX = "poll-"
# In the session: what tells it from all others.
TOKEN = "token"  # noqa: S105 - the name of it
P = ParamSpec("P")
R = TypeVar("R")


def init_app(app: Flask) -> None:
    """Let Flask-Login find people and send strangers to the log-in."""
    login_manager.user_loader(load_user)
    login_manager.unauthorized_handler(send_to_login)
    app.before_request(_note_use)


def load_user(session_id: str) -> User | None:
    """The person of a session; None where the person is gone, shut out, or has logged out or another password since."""
    if (token := session.get(TOKEN)) and sessions.is_ended(token):
        return None
    user_id, _, _ = session_id.partition(":")
    try:
        user = users.get(user_id)
    except NotFound:
        return None
    return user if user.active and user.get_id() == session_id else None


def send_to_login() -> Response:
    """To the log-in, and from there back to where the person was."""
    if htmx.wanted():
        return htmx.go(url_for("auth.login", next=htmx.current_path()))
    # A form goes back to the page that it stood on.
    wanted = request.full_path.rstrip("?") if request.method == "GET" else _page_before()
    return redirect(url_for("auth.login", next=wanted))


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Only for people who are logged in; strangers are sent to the log-in."""
    guarded: Callable[P, R] = _login_required(view)
    return guarded


def admin_required(view: Callable[P, R]) -> Callable[P, R]:
    """Only for administrators; others get 403, strangers the log-in."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if current_user.role != ADMIN:
            raise Forbidden("Only administrators may do this.")
        return view(*args, **kwargs)

    return login_required(checked)


def actor() -> str:
    """Who acts, for the record."""
    return str(current_user.name)


def safe_path(target: str | None) -> str:
    """A path of this portal, or "" for what would lead elsewhere."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return ""
    if any(ord(character) < 0x21 or character == "\\" for character in target):
        return ""
    return target


def _page_before() -> str | None:
    """Path and query of the page of this portal that the request came from; None where the browser does not tell."""
    referrer, here = request.referrer or "", request.host_url
    return "/" + referrer.removeprefix(here) if referrer.startswith(here) else None


def _note_use() -> None:
    polling = request.headers.get("HX-Trigger", "").startswith(POLL_PREFIX)
    # The job queues' pages renew themselves by jQuery.
    polling = polling or request.headers.get("X-Requested-With") == "XMLHttpRequest"
    # A program that sends a password or a token uses no session, whatever cookies come along.
    if "Authorization" in request.headers:
        return
    if not polling and request.endpoint != "static" and current_user.is_authenticated:
        security.note_use()
