"""The portal: pages of the console, log-in, and what watches over them."""

from __future__ import annotations

from flask import Flask, redirect, url_for
from werkzeug.wrappers import Response

from app.extensions import csrf
from app.web import (
    access,
    account,
    assets,
    auth,
    calls,
    deliveries,
    errors,
    greetings,
    health,
    lamps,
    limits,
    mail,
    mailboxes,
    messages,
    metrics,
    notices,
    numbers,
    password,
    programmed_calls,
    prompts,
    queues,
    routing,
    security,
    settings,
    simulator,
    test_calls,
    tokens,
    trash,
    users,
    webhooks,
    words,
)

BLUEPRINTS = (
    auth.blueprint,
    mailboxes.blueprint,
    messages.blueprint,
    trash.blueprint,
    numbers.blueprint,
    account.blueprint,
    calls.blueprint,
    programmed_calls.blueprint,
    simulator.blueprint,
    deliveries.blueprint,
    greetings.blueprint,
    lamps.blueprint,
    test_calls.blueprint,
    mail.blueprint,
    prompts.blueprint,
    settings.blueprint,
    users.blueprint,
    password.blueprint,
    tokens.blueprint,
    webhooks.blueprint,
)


def register(app: Flask) -> None:
    """Add the portal to an application whose extensions and settings are in place; SettingsError."""
    security.init_app(app)
    limits.init_app(app)
    access.init_app(app)
    routing.init_app(app)
    assets.init_app(app)
    words.init_app(app)
    notices.init_app(app)
    deliveries.init_app(app)
    numbers.init_app(app)
    programmed_calls.init_app(app)
    metrics.init_app(app)
    errors.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    queues.init_app(app)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    csrf.exempt(health.blueprint)
    csrf.exempt(metrics.blueprint)
    app.add_url_rule("/", "home", _home)


def _home() -> Response:
    return redirect(url_for("mailboxes.index"))
