"""Addresses of static files that change with their content, so that browsers may keep them."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from flask import Flask, Response, request, url_for

STATIC = Path(__file__).resolve().parent.parent / "static"
ONE_YEAR_SECONDS = 31_536_000


def init_app(app: Flask) -> None:
    """Let templates name static files."""
    app.add_template_global(asset)
    app.add_template_global(integrity)
    app.after_request(_keep)


def asset(name: str) -> str:
    """The address of a static file."""
    return url_for("static", filename=name, v=_fingerprint(name))


@cache
def integrity(name: str) -> str:
    """The hash of a vendored file as the manifest has it, for the browser to compare."""
    manifest = json.loads((STATIC / "vendor" / "manifest.json").read_text(encoding="utf-8"))
    return next(str(row["sha384"]) for row in manifest["files"] if row["file"] == name)


@cache
def _fingerprint(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def _keep(response: Response) -> Response:
    if request.endpoint == "static" and "v" in request.args:
        response.cache_control.no_cache = None
        response.cache_control.public = True
        response.cache_control.max_age = ONE_YEAR_SECONDS
    return response
