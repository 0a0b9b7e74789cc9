"""Programs with tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services import mailboxes, tokens


@dataclass
class Program:
    """A client that sends a bearer token."""

    client: FlaskClient
    token: str

    def get(self, url: str, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        return self.client.get(url, headers=self._with(headers), **options)

    def head(self, url: str, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        return self.client.head(url, headers=self._with(headers), **options)

    def post(self, url: str, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        return self.client.post(url, headers=self._with(headers), **options)

    def _with(self, headers: dict[str, str] | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", **(headers or {})}


@pytest.fixture
def program(app: Flask, mailbox: str) -> Program:
    """With a token for all mailboxes."""
    with app.app_context():
        return Program(app.test_client(), tokens.create("all", actor="test"))


@pytest.fixture
def narrow_program(app: Flask, mailbox: str) -> Program:
    """With a token for mailbox 1002 only; 1001 is another's."""
    with app.app_context():
        mailboxes.create("1002", pin="4711", actor="test")
        return Program(app.test_client(), tokens.create("narrow", extension="1002", actor="test"))
