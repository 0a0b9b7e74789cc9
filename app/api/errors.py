"""Errors as programs read them: {"error": {"code", "message", "fields"?}}."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from app.errors import AppError, Invalid


class Unauthorized(AppError):
    """Neither a session nor a token that is known."""

    status, code = 401, "unauthorized"


def respond(error: AppError) -> Response:
    """The error as JSON with its status and headers."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if isinstance(error, Invalid):
        body["fields"] = error.fields
    response = jsonify(error=body)
    response.status_code = error.status
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = 'Bearer realm="voicemail"'
    if retry_after := getattr(error, "retry_after", None):
        response.headers["Retry-After"] = str(retry_after)
    return response
