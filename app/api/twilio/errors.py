"""Errors as Twilio's client reads them: {"code", "message", "more_info", "status"}.

The codes are Twilio's own: https://www.twilio.com/docs/api/errors.
"""

from __future__ import annotations

from flask import Response, jsonify, request

from app.account import API_VERSION
from app.api.errors import Unauthorized
from app.errors import AppError

PREFIX = f"/{API_VERSION}/"
MORE_INFO = "https://www.twilio.com/docs/errors/{}"
CODES = {400: 20001, 401: 20003, 403: 20003, 404: 20404, 405: 20004, 429: 20429, 503: 20503}
UNKNOWN, OURS = 20001, 20500


def respond(error: AppError) -> Response:
    """The error as JSON with its status and headers; wrong input is 400 here, as it is there."""
    status = 400 if error.status == 422 else error.status
    message = f"The requested resource {request.path} was not found" if status == 404 else error.message
    code = CODES.get(status, OURS if status >= 500 else UNKNOWN)
    response = jsonify(code=code, message=message, more_info=MORE_INFO.format(code), status=status)
    response.status_code = status
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = 'Basic realm="voicemail", charset="UTF-8"'
    if retry_after := getattr(error, "retry_after", None):
        response.headers["Retry-After"] = str(retry_after)
    return response
