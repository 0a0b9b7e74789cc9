"""What a part of an address may look like."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import BaseConverter


class ExtensionConverter(BaseConverter):
    """An extension: 1 to 20 digits, so that `settings` and `mailboxes` are never taken for one."""

    regex = "[0-9]{1,20}"


class IdConverter(BaseConverter):
    """The UUID of a message, user or token, or the id of a job, as text."""

    regex = "[0-9a-fA-F-]{1,36}"


def init_app(app: Flask) -> None:
    """Let routes say `<extension:…>` and `<id:…>`."""
    app.url_map.converters |= {"extension": ExtensionConverter, "id": IdConverter}
