"""The key that signs sessions: from the settings, else made once for the instance."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from app.config import Settings, SettingsError

KEY_BYTES = 32
SHORTEST = 16


def ensure(settings: Settings) -> str:
    """The key; one is made where there is none. SettingsError where it cannot be kept, or is too short.

    Several processes may start at once: whoever makes the file first decides.
    """
    if settings.secret_key:
        if len(settings.secret_key) < SHORTEST:
            reason = f"must have at least {SHORTEST} characters: who guesses it forges log-ins; left out, one is made"
            raise SettingsError("SECRET_KEY", reason)
        return settings.secret_key
    path = settings.secret_key_file
    try:
        if not path.exists():
            _make(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("SECRET_KEY", f"{path} cannot be made: {error}") from None
    if not key:
        raise SettingsError("SECRET_KEY", f"{path} is empty; remove it, and a new key is made")
    return key


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes a file that only its owner may read.
    descriptor, name = tempfile.mkstemp(prefix=".secret_key-", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError:
        pass  # another process was first
    finally:
        part.unlink()
