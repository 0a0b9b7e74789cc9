"""Headers, cookies and proxies."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask, Response, abort, request, session
from werkzeug.middleware.proxy_fix import ProxyFix

from app.config import Settings
from app.models.base import utc_now

# Pico draws its arrows and ticks as data: images.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: the CSRF check of https requests reads it.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
ONE_YEAR_SECONDS = 31_536_000
SEEN = "seen"
SEEN_EVERY_SECONDS = 60


def init_app(app: Flask) -> None:
    """Configure cookies, trust as many proxies as the settings say, and send the headers."""
    settings: Settings = app.extensions["settings"]
    _cookies(app, settings)
    if proxies := settings.web.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # the way Werkzeug documents
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies
        )
    app.before_request(_refuse_nul)
    app.after_request(_headers)


def is_https(settings: Settings) -> bool:
    """Whether browsers reach the portal over TLS."""
    return settings.public_url.startswith("https://")


def note_use() -> None:
    """The session was used by a person, not by a page that polls: its time starts anew, noted once a minute."""
    now = int(utc_now().timestamp())
    if now - int(session.get(SEEN, 0)) >= SEEN_EVERY_SECONDS:
        session[SEEN] = now


def _cookies(app: Flask, settings: Settings) -> None:
    app.config.update(
        SESSION_COOKIE_NAME="voicemail_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_https(settings),
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.web.session_hours),
        SESSION_REFRESH_EACH_REQUEST=False,
        # A form may stay open as long as the log-in lasts.
        WTF_CSRF_TIME_LIMIT=None,
        PREFERRED_URL_SCHEME="https" if is_https(settings) else "http",
    )


def _refuse_nul() -> None:
    """No text that people type holds a NUL character, and PostgreSQL takes none."""
    if "\0" in request.path or any("\0" in text for pair in request.values.items(multi=True) for text in pair):
        abort(400)


def _headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", f"max-age={ONE_YEAR_SECONDS}")
    return response
