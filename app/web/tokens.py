"""Tokens of programs that use the API, for administrators."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.errors import Invalid
from app.services import tokens
from app.web import htmx, notices
from app.web.access import actor, admin_required
from app.web.forms import NewTokenForm

blueprint = Blueprint("tokens", __name__, url_prefix="/console/tokens")


@blueprint.get("")
@admin_required
def index() -> AnyResponse:
    """All tokens, and the form of one more."""
    return _page(NewTokenForm(), 200)


@blueprint.post("")
@admin_required
def create() -> AnyResponse:
    """Make a token and show it in the answer: it is kept nowhere."""
    form = NewTokenForm()
    if not form.validate_on_submit():
        return _page(form, 422)
    try:
        raw = tokens.create(form.text("name"), extension=form.text("extension").strip() or None, actor=actor())
    except Invalid as error:
        form.refuse(error)
        return _page(form, 422)
    template = "tokens/_shown.html" if htmx.wanted() else "tokens/shown.html"
    return htmx.in_place_of_page(htmx.answer(render_template(template, raw=raw, name=form.text("name"))))


@blueprint.post("/<id:token_id>/revoke")
@admin_required
def revoke(token_id: str) -> AnyResponse:
    """End a token."""
    tokens.revoke(token_id, actor=actor())
    notices.tell("The token is revoked. Programs that use it are refused.")
    return htmx.go(url_for("tokens.index"))


def _page(form: NewTokenForm, status: int) -> Response:
    if htmx.wanted():
        return htmx.answer(render_template("tokens/_new_form.html", form=form), status)
    return htmx.answer(render_template("tokens/index.html", tokens=tokens.listing(), form=form), status)
