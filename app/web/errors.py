"""Pages and fragments that say what went wrong and what to do."""

from __future__ import annotations

import logging
import math
import time

import redis
from flask import Flask, Response, g, render_template, request
from flask_limiter.errors import RateLimitExceeded
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from app.api import errors as api_errors
from app.api.twilio import errors as twilio_errors
from app.errors import AppError, TooMany, Unavailable
from app.extensions import db, limiter, login_manager
from app.storage import StoreError
from app.web import access, htmx, notices
from app.web.access import POLL_PREFIX

log = logging.getLogger(__name__)

API_PREFIX = "/api/"
PROGRAMS = (API_PREFIX, twilio_errors.PREFIX)
DRAIN_BYTES = 64 * 1024 * 1024
BLOCK_BYTES = 64 * 1024
TITLES = {
    400: "This request cannot be understood",
    403: "You may not do this",
    404: "There is nothing here",
    405: "This address does not take that",
    409: "Something changed in between",
    413: "This is too large",
    422: "Something is not right",
    429: "Too often",
    500: "Something went wrong here",
    503: "Not available just now",
}
SENTENCES = {
    400: "Go back, reload the page and try again.",
    404: "The address is wrong, or what was here has been deleted.",
    405: "Go back and use the page's own buttons.",
    413: "The file is larger than this portal takes. Choose a smaller one.",
    500: "It has been noted. Try again; if it happens again, tell the administrator the time.",
}
CSRF_SENTENCE = "The page was open too long, or cookies are switched off. Go back, reload the page and try again."
LOGGED_OUT = "You were logged out in the meantime. Log in, then do it again."
# Programs have no page to go back to.
API_SENTENCES = {
    400: "The request cannot be understood.",
    404: "There is nothing at this address.",
    405: "This address does not take that method; the header Allow names those it takes.",
    500: "Something went wrong here; it has been noted.",
}
API_CSRF_SENTENCE = "A session needs its CSRF token in the header X-CSRFToken; a bearer token needs none."


def init_app(app: Flask) -> None:
    """Answer every error in the manner of who asked: a page, a fragment or JSON."""
    app.register_error_handler(AppError, _app_error)
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(RateLimitExceeded, _rate_limit)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StoreError, _store_error)
    app.register_error_handler(redis.RedisError, _redis_error)
    app.register_error_handler(SQLAlchemyError, _database_error)
    app.register_error_handler(Exception, _unexpected)


def _app_error(error: AppError) -> AnyResponse:
    return _respond(error)


def _csrf_error(error: CSRFError) -> AnyResponse:
    if request.path.startswith(API_PREFIX):
        return _respond(_Told(400, "csrf", API_CSRF_SENTENCE))
    try:
        is_known = current_user.is_authenticated
    except SQLAlchemyError as away:
        return _database_error(away)
    # A session that has ended took its token along: the log-in is missing, nothing is wrong with the page.
    if request.endpoint == "auth.logout" and not is_known:
        return access.send_to_login()
    if request.endpoint != "auth.log_in" and not is_known:
        notices.tell(LOGGED_OUT, notices.HINT)
        return access.send_to_login()
    return _respond(_Told(400, "csrf", CSRF_SENTENCE))


def _rate_limit(error: RateLimitExceeded) -> AnyResponse:
    seconds = _seconds_left(error)
    waits = f"{-(-seconds // 60)} minutes" if seconds >= 120 else f"{seconds} seconds"
    return _respond(TooMany(f"Too many attempts. Try again in {waits}.", seconds))


def _seconds_left(error: RateLimitExceeded) -> int:
    """How long the window that is full still lasts."""
    longest: int = error.limit.limit.get_expiry()
    limit = limiter.current_limit
    try:
        return max(1, min(longest, math.ceil(limit.reset_at - time.time()))) if limit else longest
    except redis.RedisError:
        return longest


def _http_error(error: HTTPException) -> AnyResponse:
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()
    if isinstance(error, RequestEntityTooLarge):
        _drain()
    status = error.code or 500
    told = _Told(status, error.name.lower().replace(" ", "_"), _sentence(status, error.description or error.name))
    response = _respond(told)
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _store_error(error: StoreError) -> AnyResponse:
    log.warning("the store: %s", error)
    return _respond(Unavailable("The store of recordings is away. Try again in a moment."))


def _redis_error(error: redis.RedisError) -> AnyResponse:
    log.warning("Redis: %s", error)
    return _respond(Unavailable("Redis is away. Nothing is lost; try again in a moment."))


def _database_error(error: SQLAlchemyError) -> AnyResponse:
    db.session.rollback()
    if isinstance(error, DBAPIError) and (error.connection_invalidated or _is_away(error)):
        log.error("the database is away: %s", type(error.orig).__name__)
        return _respond(Unavailable("The database is away. Nothing is lost; try again in a moment."))
    return _unexpected(error)


def _is_away(error: DBAPIError) -> bool:
    return type(error).__name__ in ("OperationalError", "InterfaceError")


def _unexpected(error: Exception) -> AnyResponse:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    return _respond(_Told(500, "error", _sentence(500)), InternalServerError.code)


def _sentence(status: int, otherwise: str = "") -> str:
    sentences = SENTENCES | API_SENTENCES if request.path.startswith(PROGRAMS) else SENTENCES
    return sentences.get(status, otherwise)


class _Told(AppError):
    """An error of HTTP itself, told like one of ours."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def _respond(error: AppError, status: int | None = None) -> AnyResponse:
    if request.path.startswith(API_PREFIX):
        return api_errors.respond(error)
    if request.path.startswith(twilio_errors.PREFIX):
        return twilio_errors.respond(error)
    if not htmx.wanted():
        response = htmx.answer(_page(error), status or error.status)
    elif request.headers.get("HX-Trigger", "").startswith(POLL_PREFIX):
        # The next poll comes in a moment; the page stays as it is.
        response = Response(status=error.status, headers={"HX-Reswap": "none"})
    else:
        response = htmx.answer(_render("_notices.html", notices=[_notice(error)]), error.status)
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#notices", "innerHTML"
    if retry_after := getattr(error, "retry_after", None):
        response.headers["Retry-After"] = str(retry_after)
    return response


def _page(error: AppError) -> str:
    title = TITLES.get(error.status, TITLES[500] if error.status >= 500 else TITLES[400])
    return _render("error.html", title=title, sentence=error.message, status=error.status)


def _render(template: str, **context: object) -> str:
    """A template for whoever is logged in; for nobody where the database cannot say who that is."""
    try:
        # Read here: a transaction that was taken back makes it be asked for anew.
        _ = current_user.is_authenticated and current_user.role
    except SQLAlchemyError:
        db.session.rollback()
        # Where Flask-Login keeps it: every template asks it for the person.
        g._login_user = login_manager.anonymous_user()
    return render_template(template, **context)


def _notice(error: AppError) -> dict[str, object]:
    return {"text": error.message, "kind": "problem", "undo": "", "fields": {}}


def _drain() -> None:
    """Read the rest, unless it is enormous: a browser shows the answer only if it could send what it began."""
    stream, left = request.environ["wsgi.input"], request.content_length or 0
    if left > DRAIN_BYTES:
        return
    while left > 0 and (block := stream.read(min(BLOCK_BYTES, left))):
        left -= len(block)
