"""The settings in force, and where each came from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from flask import Blueprint, current_app, render_template
from werkzeug.wrappers import Response as AnyResponse

from app.config import Settings
from app.errors import Unavailable
from app.services import store_test, webhook_changes, workers
from app.settings_schema import Key, schema_of
from app.web import htmx, webhooks
from app.web.access import admin_required

blueprint = Blueprint("settings", __name__, url_prefix="/console/voicemail")
GENERAL = "general"
TIMES = ("until", "next_try")


@dataclass(frozen=True)
class Row:
    """A setting as the page shows it; `value` is never a secret."""

    name: str
    value: str
    source: str
    help: str

    @property
    def changed(self) -> bool:
        return self.source != "default"


@blueprint.get("/settings")
@admin_required
def index() -> AnyResponse:
    """All settings by section."""
    return _page(None)


@blueprint.post("/settings/test-storage")
@admin_required
def test_storage() -> AnyResponse:
    """Write, read and delete an object of the store; the page then says which step failed and what to do."""
    report = store_test.try_store(current_app.extensions["settings"])
    if htmx.wanted():
        return htmx.answer(render_template("_storage_test.html", report=report))
    return _page(report)


def _page(report: store_test.Report | None) -> AnyResponse:
    settings: Settings = current_app.extensions["settings"]
    context = {
        "sections": sections(settings),
        "registrations": registrations(settings),
        "report": report,
        "webhook": webhook_changes.state_of(None),
        "webhook_acts": webhooks.acts(None),
    }
    return htmx.answer(render_template("settings.html", settings=settings, **context))


def registrations(settings: Settings) -> list[dict[str, Any]] | None:
    """How the workers are registered with the PBX; empty where none is to be or none says so, None where Redis is away.

    Each as app/services/workers.py has it, with times as datetimes.
    """
    if not settings.sip.registrar:
        return []
    try:
        found = [worker["registered"] for worker in workers.live() if worker.get("registered")]
    except Unavailable:
        return None
    return [{name: workers.moment(value) if name in TIMES else value for name, value in one.items()} for one in found]


def sections(settings: Settings) -> dict[str, list[Row]]:
    """The settings by section, the general ones first."""
    found: dict[str, list[Row]] = {GENERAL: []}
    for key in schema_of(Settings).values():
        section, dot, _ = key.name.partition(".")
        found.setdefault(section if dot else GENERAL, []).append(_row(settings, key))
    return found


def _row(settings: Settings, key: Key) -> Row:
    # The file says `from` where Python cannot.
    path = ["sender" if part == "from" else part for part in key.name.split(".")]
    value: Any = reduce(getattr, path, settings)
    source = settings.sources.get(key.name, "default")
    if key.secret:
        # What is made where nobody set it is no value that somebody could look for in the file.
        return Row(key.name, "hidden" if value and source != "default" else "not set", source, key.meta["help"])
    text = _without_password(value) if key.meta.get("kind") == "url" else shown(value)
    return Row(key.name, text, source, key.meta["help"])


def _without_password(url: str) -> str:
    """An address without the name and password that it may hold."""
    return re.sub(r"//[^/@]*@", "//hidden@", shown(url))


def shown(value: object) -> str:
    """A value as people write it in the file."""
    if value is None or value == "":
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return ", ".join(str(part) for part in value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if not isinstance(value, Path) else value.as_posix()
