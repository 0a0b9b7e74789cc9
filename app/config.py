"""How settings are read: once at start, from the defaults, then voicemail.toml, then the environment.

This module is the only reader of the environment. What settings there are is said in app/settings.py.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.settings import (
    LANGUAGES,
    PROJECT_ROOT,
    DeliverySettings,
    LimitSettings,
    PinSettings,
    Settings,
    SipSettings,
    StorageSettings,
)
from app.settings_schema import SettingsError, Unknown, assemble, schema_of

__all__ = [
    "LANGUAGES", "PROJECT_ROOT", "DeliverySettings", "LimitSettings", "PinSettings", "Settings", "SettingsError",
    "StorageSettings", "load_settings",
]  # fmt: skip


def start_anew_with(variable: str, value: str) -> None:
    """Start this program anew, as the same process, with a variable that is read before it begins; not where it is set.

    What was set is not overruled. OSError, ValueError where the program cannot be started.
    """
    # A mark of our own: of a program with privileges the C library takes its variables away (secure execution).
    mark = f"{variable}_WAS_SET"
    if not {variable, mark} & os.environ.keys():
        environment = os.environ | {variable: value, mark: "1"}
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606 - there is no shell


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the defaults, the settings file and the environment; SettingsError names key and reason."""
    env = dict(os.environ if environ is None else environ)
    instance = _home("VOICEMAIL_INSTANCE", Path(env.get("VOICEMAIL_INSTANCE") or PROJECT_ROOT / "instance")).resolve()
    if instance.exists() and not instance.is_dir():
        raise SettingsError("VOICEMAIL_INSTANCE", f"{instance} is not a folder")
    config_file = _find_file(env, instance)
    document = _read_toml(config_file) if config_file else {}
    values, sources, unknown = _collect(document, env, str(config_file or ""))
    values |= {"instance": instance, "config_file": config_file}
    sources |= {"instance": "VOICEMAIL_INSTANCE" if env.get("VOICEMAIL_INSTANCE") else "default"}
    settings: Settings = assemble(Settings, values, sources)
    return _complete(settings, sources, unknown)


def _home(name: str, path: Path) -> Path:
    """The path with ~ resolved; SettingsError where there is no such person."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise SettingsError(name, f"{path} names no home folder that is known") from None


def _find_file(env: Mapping[str, str], instance: Path) -> Path | None:
    if named := env.get("VOICEMAIL_CONFIG"):
        path = _home("VOICEMAIL_CONFIG", Path(named)).resolve()
        if not path.is_file():
            raise SettingsError("VOICEMAIL_CONFIG", f"{path} is not a file")
        return path
    for path in (instance / "voicemail.toml", PROJECT_ROOT / "config" / "voicemail.toml"):
        if path.is_file():
            return path
    return None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), f"is not valid TOML: {error}") from None
    except OSError as error:
        raise SettingsError(str(path), f"cannot be read: {error.strerror}") from None


def _collect(
    document: dict[str, Any], env: Mapping[str, str], file_name: str
) -> tuple[dict[str, Any], dict[str, str], list[Unknown]]:
    """Raw values by dotted key, where each came from, and the keys nobody knows."""
    keys = schema_of(Settings)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    unknown: list[Unknown] = []
    for dotted, value in _flatten(document):
        if key := keys.get(dotted):
            values[key.name], sources[key.name] = value, file_name
        else:
            unknown.append(Unknown.of(dotted, file_name, keys))
    for key in keys.values():
        for variable in key.variables:
            value = _from_environment(env, variable)
            if value is not None:
                values[key.name], sources[key.name] = value, variable
    known = {variable for key in keys.values() for variable in key.variables}
    for variable in env:
        if variable.startswith("VOICEMAIL__") and variable.removesuffix("_FILE") not in known and variable not in known:
            dotted = variable.removeprefix("VOICEMAIL__").lower().replace("__", ".")
            unknown.append(Unknown.of(dotted, variable, keys))
    return values, sources, unknown


def _flatten(document: dict[str, Any]) -> list[tuple[str, Any]]:
    """Dotted keys of the file: those at the top, those under [voicemail], and [proxy] addons."""
    merged: dict[str, Any] = {k: v for k, v in document.items() if k != "voicemail"}
    inner = document.get("voicemail", {})
    if not isinstance(inner, dict):
        raise SettingsError("voicemail", "must be a table")
    for name, value in inner.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = {**merged[name], **value}
        else:
            merged[name] = value
    rows: list[tuple[str, Any]] = []
    for name, value in merged.items():
        if name == "proxy" and isinstance(value, dict):
            # The file may be shared with a proxy whose other keys are not ours to judge.
            if "addons" in value:
                rows.append(("proxy_addons", value["addons"]))
        elif name == "storage_type":
            rows.insert(0, ("storage.type", value))
        elif isinstance(value, dict):
            rows += [(f"{name}.{inner_name}", inner_value) for inner_name, inner_value in value.items()]
        else:
            rows.append((name, value))
    return rows


def _from_environment(env: Mapping[str, str], variable: str) -> str | None:
    """The variable's value, or the content of the file that VARIABLE_FILE names."""
    if path := env.get(f"{variable}_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{variable}_FILE", f"{path} cannot be read: {error}") from None
    value = env.get(variable)
    return value if value not in (None, "") else None


def _complete(settings: Settings, sources: dict[str, str], unknown: list[Unknown]) -> Settings:
    """Fill what depends on the instance folder, resolve relative paths, check what spans two keys."""
    from dataclasses import replace

    instance = settings.instance

    def within(key: str, path: Path) -> Path:
        # An absolute path stands for itself.
        return instance / _home(key, path)

    settings = replace(
        settings,
        database_url=settings.database_url or f"sqlite:///{instance / 'voicemail.db'}",
        redis_url=settings.redis_url or f"unix://{settings.valkey_socket}",
        secret_key=settings.secret_key or _stored_secret(settings.secret_key_file),
        host_name=settings.host_name or socket.gethostname(),
        spool_dir=within("spool_dir", settings.spool_dir),
        sounds_dir=within("sounds_dir", settings.sounds_dir) if settings.sounds_dir else None,
        smtp=replace(
            settings.smtp, ca_file=within("smtp.ca_file", settings.smtp.ca_file) if settings.smtp.ca_file else None
        ),
        storage=replace(
            settings.storage,
            type="gcs" if settings.storage.type == "gcp" else settings.storage.type,
            folder=within("storage.folder", settings.storage.folder),
        ),
        sources=sources,
        warnings=tuple(str(row) for row in unknown),
    )
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", settings.host_name):
        raise SettingsError("host_name", "must be 1 to 64 letters, digits, dots, dashes or underscores")
    if settings.pin.minimum_length > settings.pin.maximum_length:
        raise SettingsError("pin.minimum_length", "must not be above pin.maximum_length")
    _check_accounts(settings.sip)
    return settings


def _check_accounts(sip: SipSettings) -> None:
    accounts = dict(sip.accounts)
    if not all(name and password for name, password in accounts.items()):
        raise SettingsError("sip.accounts", "a user name and its password must not be empty")
    if accounts and sip.strangers == "silence":
        raise SettingsError("sip.strangers", "cannot be silence while there are sip.accounts: they must be challenged")


def _stored_secret(path: Path) -> str:
    """The key that the first start wrote; empty before it (the web refuses to start without one)."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("SECRET_KEY", f"{path} cannot be read: {error}") from None
