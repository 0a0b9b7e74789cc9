"""Browsers of people who are logged in."""

from __future__ import annotations

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


def _logged_in(app: Flask, login: Login) -> Browser:
    browser = Browser(app.test_client())
    assert browser.log_in(login).status_code == 303
    return browser
