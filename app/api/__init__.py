"""The JSON API for programs, and for the portal's own player."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add the API to an application whose portal is registered: they share routing, limits and errors."""
    from app.api import access, calls, links, messages, numbers
    from app.api.twilio import access as twilio_access
    from app.api.twilio import recordings as twilio_recordings
    from app.extensions import csrf, limiter
    from app.web import limits

    for blueprint in (messages.blueprint, calls.blueprint, numbers.blueprint):
        limiter.limit(limits.api_requests, key_func=access.caller_key)(blueprint)
        # A bearer token needs no CSRF token; for a session access.check() asks for one.
        csrf.exempt(blueprint)
        app.register_blueprint(blueprint)
    limiter.limit(limits.api_requests, key_func=limits.by_address)(links.blueprint)
    app.register_blueprint(links.blueprint)
    limiter.limit(limits.api_requests, key_func=twilio_access.caller_key)(twilio_recordings.blueprint)
    # A session only reads there.
    csrf.exempt(twilio_recordings.blueprint)
    app.register_blueprint(twilio_recordings.blueprint)
