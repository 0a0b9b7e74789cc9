"""Log in, log out, and what a session is good for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from app.config import Settings, SettingsError
from app.extensions import db, limiter
from app.models import EndedSession, User
from app.models.base import utc_now
from app.services import sessions, users
from app.web.access import TOKEN, safe_path
from tests.conftest import Login
from tests.web.browser import HTMX, Browser

LIST = "/console/voicemail"
WRONG = "User name or password is wrong."
COOKIE = "voicemail_session"


def test_name_and_password_open_the_portal(stranger: Browser, staff: Login) -> None:
    answer = stranger.log_in(staff)
    assert (answer.status_code, answer.location) == (303, LIST)
    page = stranger.get(LIST)
    assert page.status_code == 200
    assert staff.name in page.text


@pytest.mark.parametrize("wrong", [Login("bert", "not the password"), Login("nobody", "not the password")])
def test_a_wrong_one_tells_not_which(stranger: Browser, staff: Login, wrong: Login) -> None:
    answer = stranger.log_in(wrong)
    assert answer.status_code == 422
    assert WRONG in answer.text
    assert wrong.password not in answer.text
    assert stranger.get(LIST).status_code == 302


def test_empty_fields_are_named(stranger: Browser) -> None:
    answer = stranger.log_in(Login("", ""))
    assert answer.status_code == 422
    assert "Type your user name." in answer.text
    assert "Type your password." in answer.text


@pytest.mark.parametrize("name", ["x" * 10_000, "'; drop table voicemail_user; --", "😀"])
def test_strange_names_are_wrong_names(stranger: Browser, staff: Login, name: str) -> None:
    assert WRONG in stranger.log_in(Login(name, "not the password")).text


def test_the_cookie_is_for_this_site_and_not_for_scripts(stranger: Browser, staff: Login) -> None:
    cookie = stranger.log_in(staff).headers["Set-Cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie


@pytest.fixture
def https_app(settings: Settings) -> Iterator[Flask]:
    web = replace(settings.web, public_url="https://voicemail.example.com", trusted_proxies=1)
    app = create_app(replace(settings, web=web))
    yield app
    with app.app_context():
        db.engine.dispose()


def test_behind_tls_the_cookie_is_for_tls_only(https_app: Flask) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "voicemail.example.com"}
    answer = https_app.test_client().get("/login", headers=headers)
    assert "Secure" in answer.headers["Set-Cookie"]
    assert "max-age" in answer.headers["Strict-Transport-Security"]


def test_the_address_that_a_trusted_proxy_names_is_the_callers(https_app: Flask, app: Flask) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    for application, expected in ((https_app, "203.0.113.9"), (app, "127.0.0.1")):
        seen: list[str | None] = []
        application.before_request_funcs.setdefault(None, []).insert(0, lambda seen=seen: _note_address(seen))
        application.test_client().get("/healthz", headers=forwarded)
        assert seen == [expected]


def _note_address(seen: list[str | None]) -> None:
    from flask import request

    seen.append(request.remote_addr)


def test_after_log_in_people_are_where_they_wanted_to_be(stranger: Browser, staff: Login) -> None:
    sent = stranger.get("/console/voicemail?search=10")
    assert sent.status_code == 302
    answer = stranger.submit(sent.location, "/login", staff._asdict())
    assert answer.location == "/console/voicemail?search=10"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
        "javascript:alert(1)", "evil", "/%0a\n/evil.example", "///evil.example", "/ /evil", "",
    ],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(stranger: Browser, staff: Login, target: str) -> None:
    assert safe_path(target) == ""
    answer = stranger.submit("/login", "/login", {**staff._asdict(), "next": target})
    assert answer.location == LIST


def test_who_is_logged_in_already_goes_on(browser: Browser) -> None:
    assert browser.get("/login?next=/console/password").location == "/console/password"
    assert browser.get("/login?next=//evil.example").location == LIST


def test_log_out_ends_it(browser: Browser) -> None:
    assert browser.submit(LIST, "/logout").location == "/login"
    assert "You are logged out." in browser.get("/login").text
    assert browser.get(LIST).status_code == 302


def test_a_copy_of_its_cookie_opens_nothing_more(app: Flask, browser: Browser, staff: Login) -> None:
    cookie = browser.client.get_cookie(COOKIE)
    assert cookie
    copy, elsewhere = Browser(app.test_client()), Browser(app.test_client())
    copy.client.set_cookie(COOKIE, cookie.value)
    assert copy.get(LIST).status_code == 200
    elsewhere.log_in(staff)
    browser.submit(LIST, "/logout")
    copy.client.set_cookie(COOKIE, cookie.value)
    assert copy.get(LIST).location.startswith("/login")
    # Whoever logs in twice ends one of both, not the other.
    assert elsewhere.get(LIST).status_code == 200


def test_a_session_of_an_earlier_version_goes_on_and_ends(app: Flask, browser: Browser) -> None:
    with browser.client.session_transaction() as kept:
        del kept[TOKEN]
    assert browser.get(LIST).status_code == 200
    assert browser.submit(LIST, "/logout").location == "/login"
    with app.app_context():
        assert db.session.query(EndedSession).count() == 0


def test_what_was_ended_long_ago_is_forgotten(app: Flask, browser: Browser) -> None:
    browser.submit(LIST, "/logout")
    with app.app_context():
        assert sessions.sweep() == 0
        row = db.session.query(EndedSession).one()
        row.ended_at = utc_now() - timedelta(days=40)
        db.session.commit()
        assert sessions.sweep() == 1
        assert db.session.query(EndedSession).count() == 0


def test_log_out_needs_the_token(browser: Browser) -> None:
    assert browser.client.post("/logout").status_code == 400
    assert browser.get(LIST).status_code == 200


def test_log_in_needs_the_token(stranger: Browser, staff: Login) -> None:
    answer = stranger.client.post("/login", data=staff._asdict())
    assert answer.status_code == 400
    assert "reload the page" in answer.text


def test_a_fragment_without_session_sends_the_page_to_the_log_in(stranger: Browser) -> None:
    here = {"HX-Current-URL": "http://localhost/console/voicemail?page=2"}
    answer = stranger.get(LIST, headers={**HTMX, **here})
    assert answer.headers["HX-Redirect"] == "/login?next=/console/voicemail?page%3D2"
    assert answer.data == b""


@pytest.mark.parametrize("here", ["http://[", "//evil.example/x", "https://evil.example/x", "", "nonsense"])
def test_a_strange_current_address_does_no_harm(stranger: Browser, staff: Login, here: str) -> None:
    answer = stranger.get(LIST, headers={**HTMX, "HX-Current-URL": here})
    login = answer.headers["HX-Redirect"]
    assert login.startswith("/login")
    assert stranger.submit(login, "/login", staff._asdict()).location in (LIST, "/x")


def test_a_new_password_ends_other_sessions(app: Flask, browser: Browser, staff: Login) -> None:
    with app.app_context():
        user = db.session.scalars(db.select(User).where(User.name == staff.name)).one()
        users.set_password(user.id, "another password", actor="test")
    assert browser.get(LIST).status_code == 302


def test_who_is_shut_out_is_out_at_once(app: Flask, browser: Browser, staff: Login) -> None:
    with app.app_context():
        user = db.session.scalars(db.select(User).where(User.name == staff.name)).one()
        users.set_active(user.id, False, actor="test")
    assert browser.get(LIST).status_code == 302
    assert WRONG in browser.log_in(staff).text


def test_a_removed_user_is_out_at_once(app: Flask, browser: Browser, staff: Login) -> None:
    with app.app_context():
        user = db.session.scalars(db.select(User).where(User.name == staff.name)).one()
        users.remove(user.id, actor="test")
    assert browser.get(LIST).status_code == 302


def test_a_cookie_that_was_tampered_with_is_no_session(app: Flask, browser: Browser) -> None:
    cookie = browser.client.get_cookie(COOKIE)
    assert cookie is not None
    other = app.test_client()
    other.set_cookie(COOKIE, cookie.value[:-2] + "xx")
    assert other.get(LIST).status_code == 302


def test_a_session_that_nobody_uses_ends(app: Flask, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = app.extensions["settings"].web.session_hours
    later = (datetime.now(UTC) + timedelta(hours=hours, minutes=1)).timestamp()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: later)
    assert browser.get(LIST).status_code == 302


class TestAFormThatOutlivedTheSession:
    """Its CSRF token went with the session: what is missing is the log-in."""

    FORM = f"{LIST}/mailboxes/new"

    def post(self, stranger: Browser, **headers: str) -> TestResponse:
        return stranger.client.post(
            f"{LIST}/mailboxes?x=1",
            data={"csrf_token": "of another session"},
            headers={"Referer": f"http://localhost{self.FORM}", **headers},
        )

    def test_leads_to_the_log_in_and_back_to_the_form(self, stranger: Browser, staff: Login) -> None:
        sent = self.post(stranger)
        assert sent.status_code == 302
        assert "You were logged out in the meantime" in stranger.get(sent.location).text
        answer = stranger.submit(sent.location, "/login", staff._asdict())
        assert answer.location == self.FORM

    def test_with_htmx_too(self, stranger: Browser) -> None:
        sent = self.post(stranger, **HTMX, **{"HX-Current-URL": f"http://localhost{self.FORM}"})
        assert sent.status_code == 204
        assert sent.headers["HX-Redirect"] == f"/login?next={self.FORM}"

    def test_no_other_site_is_come_back_to(self, stranger: Browser) -> None:
        for referrer in ("http://evil.example/", "http://localhost.evil.example/x", "http://localhost//evil.example"):
            sent = self.post(stranger, Referer=referrer)
            assert "evil" not in stranger.get(sent.location).text

    def test_a_log_out_is_done_already(self, stranger: Browser) -> None:
        answer = stranger.client.post("/logout")
        assert answer.location.startswith("/login")
        assert "in the meantime" not in stranger.get(answer.location).text


def test_a_page_that_polls_does_not_count_as_use(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr("app.web.security.utc_now", lambda: later)
    polled = browser.get(LIST, headers={**HTMX, "HX-Trigger": "poll-mailboxes"})
    assert "Set-Cookie" not in polled.headers
    used = browser.get(LIST)
    assert COOKIE in used.headers["Set-Cookie"]


class TestLimit:
    """limits.login_attempts."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, limits=replace(settings.limits, login_attempts="3 per 15 minutes"))

    def test_wrong_ones_are_counted_by_name(self, stranger: Browser, staff: Login) -> None:
        for number in range(3):
            address = {"REMOTE_ADDR": f"192.0.2.{number}"}
            assert stranger.log_in(Login(staff.name, "wrong"), environ_base=address).status_code == 422
        refused = stranger.log_in(staff, environ_base={"REMOTE_ADDR": "192.0.2.77"})
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 15 * 60
        assert "Too many attempts" in refused.text

    def test_and_by_address(self, stranger: Browser, staff: Login) -> None:
        for number in range(3):
            assert stranger.log_in(Login(f"name{number}", "wrong")).status_code == 422
        assert stranger.log_in(staff).status_code == 429
        assert stranger.log_in(staff, environ_base={"REMOTE_ADDR": "192.0.2.8"}).status_code == 303

    def test_how_long_is_what_is_left(self, stranger: Browser, staff: Login, monkeypatch: pytest.MonkeyPatch) -> None:
        for _ in range(3):
            stranger.log_in(Login(staff.name, "wrong"))
        now = time.time()
        monkeypatch.setattr("app.web.errors.time.time", lambda: now + 14 * 60)
        refused = stranger.log_in(staff)
        assert int(refused.headers["Retry-After"]) <= 62
        assert " seconds." in refused.text
        assert "To the log-in" in refused.text

    def test_right_ones_are_not(self, app: Flask, staff: Login) -> None:
        for _ in range(5):
            assert Browser(app.test_client()).log_in(staff).status_code == 303

    def test_they_are_counted_in_redis(
        self, settings: Settings, valkey: str, staff: Login, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The limiter outlives the applications of this process, and may remember that Redis was away.
        monkeypatch.setattr(limiter, "_storage_dead", False)
        for _ in range(3):
            app = create_app(replace(settings, redis_url=valkey))
            assert Browser(app.test_client()).log_in(Login("somebody", "wrong")).status_code == 422
        assert Browser(create_app(replace(settings, redis_url=valkey)).test_client()).log_in(staff).status_code == 429

    def test_a_limit_that_nobody_can_read_stops_the_start(self, settings: Settings) -> None:
        wrong = replace(settings, limits=replace(settings.limits, login_attempts="often"))
        with pytest.raises(SettingsError, match=r"limits\.login_attempts"):
            create_app(wrong)
