"""Voicemail Pro: the application behind the portal, the API, the jobs and the keeper of each voice worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.config import Settings, load_settings

if TYPE_CHECKING:
    from flask import Flask


def create_app(settings: Settings | None = None, *, portal: bool = True) -> Flask:
    """The application, bound to settings (default: those in force); SettingsError where they are wrong.

    Nothing is connected here: a database or Redis that is away is noticed at the first request. portal: with pages,
    API and commands; processes that only use the services start sooner without.
    """
    # The voice side's processes import settings alone, and need no web framework.
    from flask import Flask

    from app import database, extensions, secret_key
    from app.storage import open_store

    settings = settings or load_settings()
    # A kind of store that there is not is told now, not at the first recording.
    open_store(settings)
    app = Flask(__name__)
    app.extensions["settings"] = settings
    app.config["SECRET_KEY"] = secret_key.ensure(settings)
    app.config["MAX_CONTENT_LENGTH"] = settings.limits.upload_bytes + 100_000
    database.init_app(app, settings)
    extensions.init_app(app, settings)
    if portal:
        _add_portal(app)
    return app


def _add_portal(app: Flask) -> None:
    from app import api, cli, web

    web.register(app)
    api.register(app)
    cli.register(app)
