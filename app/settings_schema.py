"""How a tree of frozen dataclasses becomes keys, checks and error messages; knows no key by name."""

from __future__ import annotations

import difflib
import functools
import ipaddress
import re
import tomllib
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

# RFC 9110 section 5.6.2 and 5.5, without what has no characters to see.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.ASCII)


class SettingsError(Exception):
    """A setting is wrong: `key` names it, `reason` says why. str() is one line for a terminal."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"setting {key}: {reason}")
        self.key, self.reason = key, reason


@dataclass(frozen=True)
class Key:
    """One setting: dotted name, Python type, metadata of its field, default."""

    name: str
    type: Any
    meta: Mapping[str, Any]
    default: Any

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables that set it, weakest first."""
        general = "VOICEMAIL__" + self.name.upper().replace(".", "__")
        own = self.meta.get("env")
        return (general, own) if own else (general,)

    @property
    def secret(self) -> bool:
        return bool(self.meta.get("secret"))


@dataclass(frozen=True)
class Unknown:
    """A key that nobody knows, with the nearest one that is known."""

    name: str
    source: str
    nearest: str | None

    @classmethod
    def of(cls, name: str, source: str, keys: Iterable[str]) -> Unknown:
        near = difflib.get_close_matches(name, list(keys), n=1, cutoff=0.6)
        return cls(name, source, near[0] if near else None)

    def __str__(self) -> str:
        hint = f"; did you mean {self.nearest}?" if self.nearest else ""
        return f"unknown setting {self.name} in {self.source}{hint}"


@functools.cache
def schema_of(root: type) -> Mapping[str, Key]:
    """Every settable key of a dataclass tree by its dotted name; nobody changes it, it is worked out once."""
    keys: dict[str, Key] = {}
    hints = typing.get_type_hints(root)
    for item in fields(root):
        if item.metadata.get("internal") or item.metadata.get("file") is False:
            continue
        if is_dataclass(hints[item.name]):
            section = hints[item.name]
            inner_hints = typing.get_type_hints(section)
            for inner in fields(section):
                name = f"{item.name}.{inner.metadata.get('key', inner.name)}"
                keys[name] = Key(name, inner_hints[inner.name], inner.metadata, inner.default)
        else:
            default = None if item.default is MISSING else item.default
            keys[item.name] = Key(item.name, hints[item.name], item.metadata, default)
    return keys


def assemble(root: Any, values: Mapping[str, Any], sources: Mapping[str, str]) -> Any:
    """Build the tree from raw values; SettingsError names the source's own name of a wrong one."""
    keys = schema_of(root)
    hints = typing.get_type_hints(root)
    arguments: dict[str, Any] = {}
    for item in fields(root):
        hint = hints[item.name]
        if is_dataclass(hint):
            inner = {
                part.name: _checked(keys[name], values[name], sources.get(name, ""))
                for part in fields(typing.cast("Any", hint))
                if (name := f"{item.name}.{part.metadata.get('key', part.name)}") in values
            }
            arguments[item.name] = typing.cast("Callable[..., Any]", hint)(**inner)
        elif item.name in values:
            key = keys.get(item.name)
            arguments[item.name] = (
                _checked(key, values[item.name], sources.get(item.name, "")) if key else values[item.name]
            )
    return root(**arguments)


def _checked(key: Key, raw: Any, source: str) -> Any:
    # People look for the name under which they wrote it.
    label = source if source in key.variables else f"{key.name} ({source})" if source else key.name
    try:
        value = _convert(key, raw)
    except ValueError as error:
        raise SettingsError(label, _without(raw, str(error)) if key.secret else str(error)) from None
    low, high = key.meta.get("minimum"), key.meta.get("maximum")
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = (
            f"from {low} to {high}"
            if low is not None and high is not None
            else f"at least {low}"
            if high is None
            else f"at most {high}"
        )
        raise SettingsError(label, f"must be {bounds}, not {value}")
    if (choices := key.meta.get("choices")) and value not in choices:
        raise SettingsError(label, f"must be one of {', '.join(choices)}, not {value!r}")
    return value


def _without(raw: Any, reason: str) -> str:
    """The reason without the value: what was typed for a password is not for a log."""
    return reason.replace(f", not {raw!r}", "")


def _convert(key: Key, raw: Any) -> Any:
    kind = key.meta.get("kind")
    if kind:
        return _KINDS[kind](raw)
    plain = key.type
    if typing.get_origin(plain) in (types.UnionType, typing.Union):
        plain = next(part for part in typing.get_args(plain) if part is not type(None))
    return _TYPES[plain](raw)


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError(f"must be text, not {raw!r}")
    if "\0" in raw or len(raw) > 4096:
        raise ValueError("has a NUL character or is over 4096 characters long")
    return raw


def _boolean(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if isinstance(raw, str) and raw.strip().lower() in words:
        return words[raw.strip().lower()]
    raise ValueError(f"must be true or false, not {raw!r}")


def _integer(raw: Any) -> int:
    try:
        if isinstance(raw, bool) or (isinstance(raw, float) and not raw.is_integer()):
            raise ValueError
        return int(raw)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"must be a whole number, not {raw!r}") from None


def _number(raw: Any) -> float:
    try:
        value = float(raw)
        if isinstance(raw, bool) or value != value or value in (float("inf"), float("-inf")):
            raise ValueError
        return value
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"must be a number, not {raw!r}") from None


def _path(raw: Any) -> Path:
    text = _text(raw)
    if not text.strip():
        raise ValueError("must not be empty")
    return Path(text)


def _ports(raw: Any) -> str:
    text = _text(raw)
    match = re.fullmatch(r"\s*(\d{1,5})\s*-\s*(\d{1,5})\s*", text, re.ASCII)
    if match is None:
        raise ValueError(f"must be a range such as 20000-29999, not {text!r}")
    first, last = int(match[1]), int(match[2])
    if not 1024 <= first < last <= 65535:
        raise ValueError("must lie between 1024 and 65535, the lower port first")
    return f"{first}-{last}"


def _names(raw: Any) -> tuple[str, ...]:
    if isinstance(raw, str):
        raw = [part for part in (piece.strip() for piece in raw.split(",")) if part]
    if not isinstance(raw, (list, tuple)) or not all(isinstance(part, str) for part in raw):
        raise ValueError(f"must be a list of texts, not {raw!r}")
    return tuple(raw)


def _networks(raw: Any) -> tuple[str, ...]:
    names = _names(raw)
    for name in names:
        try:
            ipaddress.ip_network(name, strict=False)
        except ValueError:
            raise ValueError(f"{name!r} is not a network such as 10.0.0.0/8") from None
    return names


def _table(raw: Any) -> dict[str, str]:
    if isinstance(raw, str):
        # The environment has texts only: there it is written as in the file.
        with suppress(tomllib.TOMLDecodeError):
            raw = tomllib.loads(f"table = {raw}").get("table")
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise ValueError('must be a table of texts, such as { "Authorization" = "Bearer token" }')
    return dict(raw)


def is_header(name: str, value: str) -> bool:
    """Whether HTTP takes a header of this name and value."""
    return bool(_HEADER_NAME.fullmatch(name)) and value.isprintable() and value == value.strip() and len(value) <= 4096


def _headers(raw: Any) -> dict[str, str]:
    found = _table(raw)
    for name, value in found.items():
        if not is_header(name, value):
            raise ValueError(f"the header {name!r} has a name or a value that HTTP does not take")
    return found


def _url(raw: Any) -> str:
    text = _text(raw).strip()
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if text and not good:
        raise ValueError(f"must be an http or https address, not {text!r}")
    return text


def _sender(raw: Any) -> str:
    text = _text(raw).strip()
    if text and not (text.isprintable() and re.fullmatch(r"([^<>]*<)?[^\s<>,;@]+@[^\s<>,;@]+>?", text)):
        raise ValueError(f"must be an address, or Name <address>, not {text!r}")
    return text


def _registrar(raw: Any) -> str:
    """`host` or `host:port` of host, host:port or a sip: URI (RFC 3261 section 19.1); IPv6 stands in brackets."""
    text = _text(raw).strip()
    if not text:
        return ""
    scheme = re.match(r"(sips?):", text, re.I)
    if scheme and scheme[1].lower() == "sips":
        raise ValueError("sips: needs TLS; registration goes over UDP, so write sip:")
    place, _, params = text[scheme.end() if scheme else 0 :].partition(";")
    if params and params.lower() != "transport=udp":
        raise ValueError(f"must have no parameters but transport=udp, not {params!r}")
    with suppress(ValueError):
        if ipaddress.ip_address(place).version == 6:
            place = f"[{place}]"
    match = re.fullmatch(r"(\[([0-9a-fA-F:.]+)\]|[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?)(?::([0-9]{1,5}))?", place)
    if match is None or not _is_host(match[1], match[2]) or not 0 < int(match[4] or 5060) < 65536:
        raise ValueError(f"must be host, host:port or a sip: URI without a user, not {text!r}")
    return place.lower()


def _mwi_target(raw: Any) -> str:
    """A PBX as _registrar() reads it, or the word off."""
    return "off" if _text(raw).strip().lower() == "off" else _registrar(raw)


def _mwi_user(raw: Any) -> str:
    """`USER` or `USER@DOMAIN`, with {extension} in the user (RFC 3261 section 25.1, without escapes)."""
    text = _text(raw).strip()
    user, at, domain = text.partition("@")
    if user.count("{extension}") != 1 or not re.fullmatch(r"[A-Za-z0-9_.!~*'+=&$-]*", user.replace("{extension}", "")):
        raise ValueError(f"must hold {{extension}} once, beside letters, digits and -_.!~*'+=&$, not {text!r}")
    return f"{user}@{_registrar(domain)}" if at and domain else user


def _is_host(name: str, ipv6: str | None) -> bool:
    if ipv6 is None:
        # A name whose last label is a number is an IPv4 address, or nothing.
        if not name.rstrip(".").rpartition(".")[2].isdigit():
            return all(name.rstrip(".").split(".")) and len(name) <= 253
        ipv6 = name
    try:
        ipaddress.ip_address(ipv6)
    except ValueError:
        return False
    return True


def _timezone(raw: Any) -> str:
    name = _text(raw)
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{name!r} is not a time zone such as Europe/Paris") from None
    return name


_TYPES: dict[Any, Callable[[Any], Any]] = {str: _text, bool: _boolean, int: _integer, float: _number, Path: _path}
_KINDS: dict[str, Callable[[Any], Any]] = {
    "ports": _ports,
    "networks": _networks,
    "table": _table,
    "headers": _headers,
    "url": _url,
    "sender": _sender,
    "registrar": _registrar,
    "mwi_target": _mwi_target,
    "mwi_user": _mwi_user,
    "timezone": _timezone,
    "path": _path,
    "addons": _names,
}
