"""A browser without scripts: it keeps cookies, and fills the forms that a page has, CSRF tokens and all."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import Login

HTMX = {"HX-Request": "true"}


@dataclass
class Form:
    """A form of a page: where it posts to, and what its fields hold."""

    action: str
    method: str
    values: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._open: Form | None = None
        self._select = self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area and self._open is not None:
            # The first line break belongs to the tag.
            before = self._open.values[self._area]
            self._open.values[self._area] = before + (data if before else data.removeprefix("\n"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(values.get("action", ""), values.get("method", "get"), attributes=values)
            self.found.append(self._open)
        elif self._open is None:
            return
        elif tag == "select":
            self._select = values["name"]
        elif tag == "textarea":
            self._area = values["name"]
            self._open.values[self._area] = ""
        elif tag == "option" and self._select:
            if "selected" in values:
                self._open.values[self._select] = values.get("value", "")
        elif tag == "input" and "name" in values:
            unchosen = values.get("type") in ("radio", "checkbox") and "checked" not in values
            if not unchosen and values.get("type") != "file":
                self._open.values[values["name"]] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""


def forms_of(page: TestResponse) -> list[Form]:
    """All forms of a page, in order."""
    parser = _Forms()
    parser.feed(page.text)
    return parser.found


def form_of(page: TestResponse, action: str) -> Form:
    """The form of a page that posts to an address."""
    found = [form for form in forms_of(page) if form.action == action]
    assert found, f"no form for {action}; there are {[form.action for form in forms_of(page)]}"
    return found[0]


@dataclass
class Browser:
    """A client that uses pages as a person without scripts does."""

    client: FlaskClient

    def get(self, url: str, **options: Any) -> TestResponse:
        return self.client.get(url, **options)

    def submit(self, page_url: str, action: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Open a page, fill in its form for `action`, send it."""
        form = form_of(self.get(page_url), action)
        assert form.method == "post"
        sent = {**form.values, **(data or {})}
        content_type = form.attributes.get("enctype", "application/x-www-form-urlencoded")
        return self.client.post(action, data=sent, content_type=content_type, **options)

    def log_in(self, login: Login, **options: Any) -> TestResponse:
        return self.submit("/login", "/login", login._asdict(), **options)

    def csrf_token(self) -> str:
        """A token of this session."""
        return form_of(self.get("/console/password"), "/console/password").values["csrf_token"]
