"""Numbers whose calls are answered by documents, and mailboxes' own documents."""

from __future__ import annotations

from dataclasses import fields as fields_of
from typing import Any

from flask import Blueprint, Response, jsonify, request
from flask_login import current_user

from app.api import access
from app.api.messages import limit_of
from app.errors import Forbidden, Invalid
from app.models.user import ADMIN
from app.services import numbers
from app.services.numbers import Details, Line
from app.services.trace_text import masked

blueprint = Blueprint("api_numbers", __name__, url_prefix="/api/voicemail/numbers")
FIELDS = tuple(item.name for item in fields_of(Details))
URLS = ("voice_url", "fallback_url", "status_callback")


@blueprint.before_request
def check() -> None:
    """Numbers belong to no mailbox: a token for all is needed, and to change one, an administrator's session."""
    access.check()
    who = access.caller()
    if who.mailbox_id is not None:
        raise Forbidden("This token is for one mailbox; numbers need a token for all.")
    if who.by_session and request.method not in access.SAFE_METHODS and current_user.role != ADMIN:
        raise Forbidden("Only administrators may change numbers.")


@blueprint.get("")
def listing() -> Response:
    """All, newest first. ?limit=1..200, ?cursor=."""
    lines, following = numbers.listing(request.args.get("cursor"), limit_of(request.args.get("limit")))
    return jsonify(numbers=[as_json(line) for line in lines], next=following)


@blueprint.post("")
def create() -> tuple[Response, int]:
    """Make one; 201. JSON: the fields of the answer, `mailbox` in place of `number` for a mailbox's own document."""
    sent = _sent((*FIELDS, "mailbox"))
    row = numbers.create(
        Details(**{name: sent[name] for name in FIELDS if name in sent}),
        extension=sent.get("mailbox", ""),
        actor=access.caller().actor,
    )
    return jsonify(as_json(numbers.get(row.id))), 201


@blueprint.get("/<id:number_id>")
def show(number_id: str) -> Response:
    """One of them."""
    return jsonify(as_json(numbers.get(number_id)))


@blueprint.route("/<id:number_id>", methods=["PATCH", "POST"])
def update(number_id: str) -> Response:
    """Change the fields that are sent; 200."""
    numbers.update_fields(number_id, _sent(FIELDS), actor=access.caller().actor)
    return jsonify(as_json(numbers.get(number_id)))


@blueprint.delete("/<id:number_id>")
def delete(number_id: str) -> tuple[str, int]:
    """Answer its calls no more; 204."""
    numbers.delete(number_id, actor=access.caller().actor)
    return "", 204


def as_json(line: Line) -> dict[str, Any]:
    """A number as programs see it; the staff sees no passwords. warnings: what is in the way of its documents."""
    row, who = line.number, access.caller()
    secret = who.by_session and current_user.role != ADMIN
    return {
        "id": row.id,
        **{name: getattr(row, name) for name in FIELDS},
        **{name: masked(getattr(row, name)) for name in URLS if secret},
        "mailbox": line.extension or None,
        "created_at": row.created_at.isoformat(),
        "warnings": numbers.warnings(row),
    }


def _sent(known: tuple[str, ...]) -> dict[str, str]:
    """The fields that were sent as a JSON object; Invalid for others, and for what is no text. null is empty."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        # Brackets within brackets, without end.
        body = None
    if not isinstance(body, dict):
        raise Invalid({"body": "Send a JSON object, with Content-Type: application/json."})
    unknown = f"There is no such field; there are {', '.join(known)}."
    problems = {name[:64]: unknown for name in body if name not in known}
    problems |= {name: "This is to be text." for name in known if not isinstance(body.get(name), str | None)}
    if problems:
        raise Invalid(problems)
    return {name: value or "" for name, value in body.items()}
