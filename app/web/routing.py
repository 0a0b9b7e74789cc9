"""What a part of an address may look like."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import BaseConverter

from app.config import LANGUAGES


class ExtensionConverter(BaseConverter):
    """An extension: 1 to 20 digits, so that `settings` and `mailboxes` are never taken for one."""

    regex = "[0-9]{1,20}"


class IdConverter(BaseConverter):
    """The UUID of a message, user or token, or the id of a job, as text."""

    regex = "[0-9a-fA-F-]{1,36}"


class SidConverter(BaseConverter):
    """The sid of a call or a recording: two letters and 32 hexadecimal digits."""

    regex = "[A-Z]{2}[0-9a-f]{32}"


class PromptConverter(BaseConverter):
    """The name of a prompt."""

    regex = "[a-z0-9_]{1,64}"


class LanguageConverter(BaseConverter):
    """The code of a language that prompts exist in."""

    regex = "|".join(LANGUAGES)


def init_app(app: Flask) -> None:
    """Let routes say `<extension:…>`, `<id:…>`, `<sid:…>`, `<prompt:…>` and `<language:…>`."""
    app.url_map.converters |= {
        "extension": ExtensionConverter,
        "id": IdConverter,
        "sid": SidConverter,
        "prompt": PromptConverter,
        "language": LanguageConverter,
    }
