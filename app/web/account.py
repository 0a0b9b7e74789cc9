"""The account that signs requests of programmed calls and opens the REST calls, for administrators."""

from __future__ import annotations

from flask import Blueprint, Response, render_template
from werkzeug.wrappers import Response as AnyResponse

from app.account import Account
from app.services import account
from app.services.context import settings
from app.web import htmx
from app.web.access import actor, admin_required

blueprint = Blueprint("account", __name__, url_prefix="/console/voicemail/account")


@blueprint.get("")
@admin_required
def index() -> AnyResponse:
    """The account's sid, and how programs use it; never the token."""
    context = {"sid": account.sid(), "fixed": account.is_fixed(), "portal": settings().public_url}
    return htmx.answer(render_template("account/index.html", **context))


@blueprint.post("/token")
@admin_required
def token() -> AnyResponse:
    """Show the token, in the answer."""
    return _token(account.reveal(actor=actor()))


@blueprint.post("/rotate")
@admin_required
def rotate() -> AnyResponse:
    """Make another token, and show it."""
    return _token(account.rotate(actor=actor()))


def _token(found: Account) -> Response:
    """The token, in the answer itself: it is kept in no cookie and no page of the history."""
    return htmx.answer(render_template("account/token.html", account=found))
