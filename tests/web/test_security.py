"""What holds for every page: headers, CSRF, log-in, errors that speak; health and metrics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from app.config import Settings
from app.storage.local import LocalStore
from app.web import health
from tests.conftest import Login
from tests.support import make_settings, until
from tests.web.browser import HTMX, Browser

OPEN = {
    "auth.login",
    "auth.log_in",
    "auth.logout",
    "health.healthz",
    "health.readyz",
    "metrics.metrics",
    "static",
    "home",
    # Opened by the signature of its address, without which it is 403 (tests/api/test_links.py).
    "api_links.audio",
}
BY_PASSWORD = "twilio_"
"""Opened by AccountSid and auth token, without which they are 401 (tests/api/test_twilio_recordings.py)."""
ARGUMENTS = {
    "extension": "1001",
    "message_id": "00000000-0000-4000-8000-000000000000",
    "user_id": "00000000-0000-4000-8000-000000000000",
    "token_id": "00000000-0000-4000-8000-000000000000",
    "name": "goodbye",
    "language": "en",
    "job_id": "00000000-0000-4000-8000-000000000000",
    "number_id": "00000000-0000-4000-8000-000000000000",
    "sid": "CA00000000000000000000000000000000",
    "recording_sid": "RE00000000000000000000000000000000",
    "delivery_id": "00000000-0000-4000-8000-000000000000",
    # Those of rq-dashboard.
    "instance_number": 0,
    "queue_name": "email",
    "registry_name": "queued",
    "per_page": 8,
    "order": "asc",
    "page": 1,
    "filename": "css/main.css",
}


def closed_routes(app: Flask, method: str) -> list[str]:
    """The address of every route of a method that needs a log-in."""
    urls = app.url_map.bind("localhost")
    rules = [rule for rule in app.url_map.iter_rules() if method in (rule.methods or ()) and rule.endpoint not in OPEN]
    rules = [rule for rule in rules if not rule.endpoint.startswith(BY_PASSWORD)]
    return [urls.build(rule.endpoint, {name: ARGUMENTS[name] for name in rule.arguments}, method) for rule in rules]


def test_no_page_shows_anything_to_a_stranger(app: Flask, stranger: Browser, mailbox: str) -> None:
    urls = closed_routes(app, "GET")
    assert len(urls) > 15
    for url in urls:
        answer = stranger.get(url)
        assert answer.status_code == (401 if url.startswith("/api/") else 302), url
        assert "Anna Example" not in answer.text


def test_no_act_is_done_without_a_csrf_token(app: Flask, admin_browser: Browser, mailbox: str) -> None:
    urls = closed_routes(app, "POST")
    assert len(urls) > 20
    for url in urls:
        assert admin_browser.client.post(url, data={"confirm": mailbox}).status_code == 400, url
        assert admin_browser.client.post(url, data={"csrf_token": "wrong"}).status_code == 400, url


@pytest.mark.parametrize("url", ["/login", "/console/voicemail/settings", "/nowhere", "/healthz", "/static/app.css"])
def test_headers(admin_browser: Browser, url: str) -> None:
    with admin_browser.get(url) as answer:
        headers = answer.headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_pages_are_not_kept_by_caches_and_files_are(browser: Browser) -> None:
    assert browser.get("/console/voicemail").headers["Cache-Control"] == "no-store"
    with browser.get("/static/app.css?v=1") as file:
        assert "max-age=31536000" in file.headers["Cache-Control"]


@pytest.mark.parametrize("url", ["/nowhere", "/console", "/static/../config.py", "/console/voicemail/mailboxes"])
def test_a_wrong_address_is_told(browser: Browser, url: str) -> None:
    answer = browser.get(url)
    assert answer.status_code in (404, 405)
    assert "To the mailboxes" in answer.text


def test_a_wrong_address_of_the_api_is_json(browser: Browser) -> None:
    answer = browser.get("/api/voicemail/nowhere")
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["error"]["code"] == "not_found"


class TestUnexpected:
    """A fault of ours: noted with its traceback, told without."""

    @pytest.fixture
    def broken(self, app: Flask) -> Flask:
        app.config["TESTING"] = False
        app.add_url_rule("/broken", "home_broken", lambda: 1 / 0)
        app.add_url_rule("/api/broken", "api_broken", lambda: 1 / 0)
        return app

    def test_page(self, broken: Flask, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.ERROR):
            answer = broken.test_client().get("/broken")
        assert answer.status_code == 500
        assert "Something went wrong here" in answer.text
        assert "ZeroDivisionError" not in answer.text
        assert "ZeroDivisionError" in caplog.text

    def test_api(self, broken: Flask) -> None:
        answer = broken.test_client().get("/api/broken")
        assert answer.status_code == 500
        assert answer.json is not None
        assert answer.json["error"]["code"] == "error"


class TestDatabaseAway:
    """The database does not answer."""

    @pytest.fixture
    def app(self, tmp_path: Path) -> Flask:
        return create_app(make_settings(tmp_path, DATABASE_URL="postgresql://nobody@127.0.0.1:9/none"))

    def test_a_page_says_so(self, app: Flask, stranger: Browser) -> None:
        answer = stranger.log_in(Login("anna", "password"))
        assert answer.status_code == 503
        assert "The database is away" in answer.text

    @pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_whoever_is_logged_in_is_told_as_well(self, app: Flask, method: str, headers: dict[str, str]) -> None:
        """Who that is only the database knows, and the page shows it."""
        client = app.test_client()
        with client.session_transaction() as kept:
            kept["_user_id"] = "00000000-0000-4000-8000-000000000000:0"
        answer = client.open("/console/voicemail/mailboxes", method=method, headers=headers)
        assert answer.status_code == 503
        assert "The database is away" in answer.text
        assert answer.headers["Retry-After"]

    def test_a_poll_is_told_to_leave_the_page(self, app: Flask) -> None:
        client = app.test_client()
        with client.session_transaction() as kept:
            kept["_user_id"] = "00000000-0000-4000-8000-000000000000:0"
        answer = client.get("/console/voicemail", headers={**HTMX, "HX-Trigger": "poll-mailboxes"})
        assert (answer.status_code, answer.headers["HX-Reswap"], answer.text) == (503, "none", "")

    def test_readyz_names_it(self, app: Flask) -> None:
        answer = app.test_client().get("/readyz")
        assert answer.status_code == 503
        assert answer.json == {"status": "away", "database": "away", "redis": "away", "store": "ok"}

    def test_healthz_is_well(self, app: Flask) -> None:
        assert app.test_client().get("/healthz").status_code == 200

    def test_metrics_leave_a_gap(self, app: Flask) -> None:
        answer = app.test_client().get("/metrics")
        assert answer.status_code == 200
        assert "voicemail_http_requests" in answer.text
        assert "voicemail_mailboxes" not in answer.text


def test_readyz_with_everything_there(settings: Settings, valkey: str) -> None:
    app = create_app(replace(settings, redis_url=valkey))
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "database": "ok", "redis": "ok", "store": "ok"}


def test_readyz_does_not_wait_for_a_store_that_hangs(
    settings: Settings, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, free, asked = create_app(replace(settings, redis_url=valkey)), threading.Event(), []

    def hang(self: LocalStore, key: str) -> None:
        asked.append(key)
        free.wait(60)

    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(LocalStore, "stat", hang)
    client = app.test_client()
    try:
        for _ in range(3):
            answer = client.get("/readyz")
            assert answer.status_code == 503
            assert answer.json == {"status": "away", "database": "ok", "redis": "ok", "store": "away"}
        assert len(asked) == 1, "no second question before the first is answered"
    finally:
        free.set()
    until(lambda: client.get("/readyz").status_code == 200, 20, "it answers")
    # Late once more: what it said a moment ago stands.
    free.clear()
    try:
        assert client.get("/readyz").status_code == 200
    finally:
        free.set()


def test_metrics_count_and_keep_secrets(
    app: Flask, browser: Browser, mailbox: str, make_message: Callable[..., str]
) -> None:
    make_message()
    make_message(uploaded=False)
    text = browser.get("/metrics").text
    assert "voicemail_mailboxes 1.0" in text
    assert 'voicemail_messages{state="new"} 2.0' in text
    assert 'voicemail_deliveries{kind="upload",state="done"} 1.0' in text
    assert 'voicemail_deliveries{kind="upload",state="pending"} 1.0' in text
    assert 'voicemail_http_requests_total{endpoint="auth.log_in",status="303"} 1.0' in text
    assert "voicemail_oldest_delivery_seconds" in text
    for secret in (app.config["SECRET_KEY"], "0301234567", "Carla", "Anna", "bert"):
        assert secret not in text
