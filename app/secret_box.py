"""Secrets that must be read again (of webhooks, servers, stores), encrypted for the database.

Fernet (AES-128-CBC and HMAC-SHA256). The key is the setting encryption_key, else made once in the instance folder.
There may be several keys, the newest first: it seals, all of them unseal.
"""

from __future__ import annotations

import re

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app import key_file
from app.config import Settings, SettingsError

NAME = "ENCRYPTION_KEY"
_URL_SAFE = str.maketrans("+/", "-_")


def seal(settings: Settings, text: str) -> str:
    """The text encrypted, as ASCII; a key is made where there is none. SettingsError."""
    return _box(settings, make=True).encrypt(text.encode()).decode("ascii")


def unseal(settings: Settings, sealed: str) -> str:
    """What was sealed; SettingsError where the key is missing or another."""
    try:
        return _box(settings, make=False).decrypt(sealed.encode()).decode()
    except InvalidToken:
        where = "the key of the settings" if settings.encryption_key else str(settings.encryption_key_file)
        reason = f"{where} is not the one that secrets in the database are encrypted with; put that one back"
        raise SettingsError(NAME, reason) from None


def _box(settings: Settings, make: bool) -> MultiFernet:
    text = settings.encryption_key
    if not text and make:
        text = key_file.ensure(settings.encryption_key_file, NAME, lambda: Fernet.generate_key().decode("ascii"))
    if not text:
        text = key_file.read(settings.encryption_key_file, NAME)
    keys = [part.translate(_URL_SAFE) for part in re.split(r"[\s,]+", text) if part]
    try:
        # No key at all is a ValueError too.
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        reason = "must be 32 random bytes in base64, as `openssl rand -base64 32` makes them; several with commas"
        raise SettingsError(NAME, reason) from None
