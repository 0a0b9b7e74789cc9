"""Files of others are those that their packages hold, and pages load nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[2] / "app"
VENDOR = APP / "static" / "vendor"
ROWS = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))["files"]


def sha384(path: Path) -> str:
    return "sha384-" + base64.b64encode(hashlib.sha384(path.read_bytes()).digest()).decode()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["file"]))
def test_file_and_licence_are_the_published_ones(row: dict[str, str]) -> None:
    assert sha384(VENDOR / row["file"]) == row["sha384"]
    assert sha384(VENDOR / row["licence_file"]) == row["licence_sha384"]


def test_the_manifest_names_every_file() -> None:
    named = {name for row in ROWS for name in (row["file"], row["licence_file"])} | {"manifest.json"}
    assert {path.name for path in VENDOR.iterdir()} == named


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row["file"]))
def test_the_notice_names_it(row: dict[str, str]) -> None:
    notice = (APP.parent / "NOTICE").read_text(encoding="utf-8")
    assert row["version"] in notice


MAILS = APP / "templates" / "mail"


@pytest.mark.parametrize(
    "path",
    sorted([*APP.glob("templates/**/*.html"), *APP.glob("static/*.css"), *APP.glob("static/*.js")]),
    ids=lambda path: str(path.relative_to(APP)),
)
def test_pages_bring_no_inline_code_and_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href|action|url\()\s*[=\"'(]+\s*(?:https?:)?//", text)
    if path.suffix == ".html":
        # rq-dashboard's own scripts have the nonce of their answer (app/web/queues.py).
        assert not re.search(r"<script(?![^>]*\bsrc=)(?! nonce=\"\{\{ csp_nonce\(\) \}\}\">)", text)
        assert not re.search(r"\son[a-z]+=|hx-on|javascript:", text)
        # Mails are no pages: mail programs know no style sheets.
        assert path.is_relative_to(MAILS) or not re.search(r"<style|\sstyle=", text)
