"""The key that signs sessions: from the settings, else made once for the instance."""

from __future__ import annotations

import secrets

from app import key_file
from app.config import Settings, SettingsError

KEY_BYTES = 32
SHORTEST = 16


def ensure(settings: Settings) -> str:
    """The key; one is made where there is none. SettingsError where it cannot be kept, or is too short."""
    if settings.secret_key:
        if len(settings.secret_key) < SHORTEST:
            reason = f"must have at least {SHORTEST} characters: who guesses it forges log-ins; left out, one is made"
            raise SettingsError("SECRET_KEY", reason)
        return settings.secret_key
    return key_file.ensure(settings.secret_key_file, "SECRET_KEY", lambda: secrets.token_urlsafe(KEY_BYTES))
