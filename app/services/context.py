"""What every service needs of its surroundings."""

from __future__ import annotations

from flask import current_app

from app.config import Settings


def settings() -> Settings:
    """The settings of the application in whose context this runs."""
    found: Settings = current_app.extensions["settings"]
    return found
