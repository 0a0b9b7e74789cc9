"""How often something may be tried: the limits of the settings, counted in Redis, or in memory while it is away."""

from __future__ import annotations

from flask import Flask, current_app, request
from flask_limiter.util import get_remote_address
from flask_login import current_user
from limits import parse_many

from app.config import Settings, SettingsError
from app.extensions import limiter

LONGEST_NAME = 64
ANSWER_SECONDS = 0.5


def init_app(app: Flask) -> None:
    """Count where the settings say; SettingsError for a limit that nobody can read."""
    settings: Settings = app.extensions["settings"]
    for name in ("login_attempts", "api_requests"):
        try:
            parse_many(getattr(settings.limits, name))
        except ValueError:
            raise SettingsError(f"limits.{name}", "must be a rate such as 10 per 15 minutes") from None
    app.config.update(
        RATELIMIT_STORAGE_URI=storage_uri(settings.redis_url),
        RATELIMIT_STORAGE_OPTIONS={"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS},
        RATELIMIT_IN_MEMORY_FALLBACK_ENABLED=True,
        RATELIMIT_KEY_PREFIX="voicemail:limit",
        RATELIMIT_HEADERS_ENABLED=False,
    )
    limiter.init_app(app)


def storage_uri(redis_url: str) -> str:
    """The address of Redis as the limits package writes it."""
    return f"redis+{redis_url}" if redis_url.startswith("unix://") else redis_url


def login_attempts() -> str:
    """The limit of wrong log-ins."""
    settings: Settings = current_app.extensions["settings"]
    return settings.limits.login_attempts


def api_requests() -> str:
    """The limit of API requests."""
    settings: Settings = current_app.extensions["settings"]
    return settings.limits.api_requests


def by_address() -> str:
    """Who is counted: the address that the request came from."""
    return f"address:{get_remote_address()}"


def by_user_name() -> str:
    """Who is counted: the name that was typed."""
    return f"user:{request.form.get('name', '').strip().lower()[:LONGEST_NAME]}"


def by_user() -> str:
    """Who is counted: who is logged in."""
    return f"user:{getattr(current_user, 'id', '')}"
