"""A key that is made once for an instance and kept in a file that only its owner may read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.config import SettingsError


def ensure(path: Path, setting: str, make: Callable[[], str]) -> str:
    """The text of the file, which make() gives where there is none; SettingsError names the setting.

    Several processes may start at once: whoever makes the file first decides.
    """
    try:
        if not path.exists():
            _make(path, make())
    except OSError as error:
        raise SettingsError(setting, f"{path} cannot be made: {error}") from None
    return read(path, setting)


def replace(path: Path, setting: str, key: str) -> None:
    """Put another key into the file, whole or not at all; SettingsError names the setting."""
    try:
        part = _written(path, key)
        os.replace(part, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise SettingsError(setting, f"{path} cannot be replaced: {error}") from None


def read(path: Path, setting: str) -> str:
    """The text of the file; SettingsError where it cannot be read, is damaged or empty."""
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(setting, f"{path} cannot be read: {error}") from None
    if not key:
        raise SettingsError(setting, f"{path} is empty; put it back from a backup, or remove it and a new key is made")
    return key


def _make(path: Path, key: str) -> None:
    part = _written(path, key)
    try:
        os.link(part, path)
        _sync_folder(path.parent)
    except FileExistsError:
        pass  # another process was first
    finally:
        part.unlink()


def _written(path: Path, key: str) -> Path:
    """A file beside this one that holds the key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes a file that only its owner may read.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        part.unlink()
        raise
    return part


def _sync_folder(folder: Path) -> None:
    """What is encrypted with a key must not outlive the name of its file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
