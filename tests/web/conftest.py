"""Browsers of people who are logged in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask

from tests.conftest import Login
from tests.web.browser import Browser


@pytest.fixture
def stranger(app: Flask) -> Browser:
    return Browser(app.test_client())


@pytest.fixture
def admin_browser(app: Flask, admin: Login) -> Browser:
    return _logged_in(app, admin)


@pytest.fixture
def browser(app: Flask, staff: Login) -> Browser:
    """Of a member of the staff: who may do everything with mailboxes."""
    return _logged_in(app, staff)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """clock(moment): pages say times as if it were then, until it is set anew."""

    def stand(moment: datetime) -> None:
        for module in ("app.web.words", "app.services.messages"):
            monkeypatch.setattr(f"{module}.utc_now", lambda: moment)

    return stand


def _logged_in(app: Flask, login: Login) -> Browser:
    browser = Browser(app.test_client())
    assert browser.log_in(login).status_code == 303
    return browser
