"""What only administrators may do: settings, users, tokens. And everybody's own password."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from app.config import Settings, load_settings
from app.extensions import db
from app.models import User
from app.services import tokens, users
from app.settings_schema import schema_of
from app.web.settings import sections
from tests.conftest import Login
from tests.web.browser import HTMX, Browser

USERS, TOKENS, PASSWORD = "/console/users", "/console/tokens", "/console/password"
SETTINGS = "/console/voicemail/settings"


def user(app: Flask, name: str) -> User:
    with app.app_context():
        return db.session.scalars(db.select(User).where(User.name == name)).one()


class TestRoles:
    """Staff have no settings, no users, no tokens."""

    @pytest.mark.parametrize("url", [SETTINGS, USERS, TOKENS, f"{USERS}/1/password"])
    def test_staff_see_none_of_it(self, browser: Browser, url: str) -> None:
        answer = browser.get(url)
        assert answer.status_code == 403
        assert "Only administrators" in answer.text
        assert f'href="{url}"' not in browser.get("/console/voicemail").text

    @pytest.mark.parametrize(
        "url",
        [
            USERS,
            f"{USERS}/1/role",
            f"{USERS}/1/active",
            f"{USERS}/1/password",
            f"{USERS}/1/remove",
            TOKENS,
            f"{TOKENS}/1/revoke",
        ],
    )
    def test_staff_do_none_of_it(self, app: Flask, browser: Browser, url: str) -> None:
        data = {"csrf_token": browser.csrf_token(), "name": "eve", "password": "a long password", "role": "admin"}
        assert browser.client.post(url, data=data).status_code == 403
        with app.app_context():
            assert [one.name for one in users.listing()] == ["bert"]
            assert tokens.listing() == []

    @pytest.mark.parametrize("url", [SETTINGS, USERS, TOKENS, PASSWORD])
    def test_strangers_are_sent_to_the_log_in(self, stranger: Browser, url: str) -> None:
        assert stranger.get(url).location == f"/login?next={url}"


class TestSettings:
    """GET /console/voicemail/settings."""

    def test_every_setting_with_value_source_and_help(self, app: Flask, admin_browser: Browser) -> None:
        page = admin_browser.get(SETTINGS).text
        for key in schema_of(Settings).values():
            assert f">{key.name}</th>" in page
        assert "VOICEMAIL__PIN__ARGON2_MEMORY_KIB" in page
        assert ">8192</td>" in page

    def test_no_secret(self, app: Flask, admin_browser: Browser) -> None:
        page = admin_browser.get(SETTINGS).text
        assert app.config["SECRET_KEY"] not in page
        assert app.extensions["settings"].database_url not in page
        assert app.extensions["settings"].redis_url not in page

    def test_what_nobody_set_is_not_hidden(self, tmp_path: Path) -> None:
        settings = load_settings({"VOICEMAIL_INSTANCE": str(tmp_path), "DATABASE_URL": "postgresql://host/name"})
        rows = {row.name: row.value for row in sections(settings)["general"]}
        assert (rows["database_url"], rows["redis_url"]) == ("hidden", "not set")


class TestUsers:
    """/console/users."""

    def test_add(self, app: Flask, admin_browser: Browser) -> None:
        answer = admin_browser.submit(USERS, USERS, {"name": "carl", "password": "correct horse", "role": "staff"})
        assert answer.location == USERS
        assert "carl may log in now" in admin_browser.get(USERS).text
        assert Browser(app.test_client()).log_in(Login("carl", "correct horse")).status_code == 303

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("name", "", "Type a user name"),
            ("name", "<script>", "1 to 64 letters"),
            ("name", "anna", "exists already"),
            ("password", "short", "at least 10 characters"),
            ("password", "carl", "at least 10 characters"),
        ],
    )
    def test_wrong_input(self, admin_browser: Browser, field: str, value: str, sentence: str) -> None:
        data = {"name": "carl", "password": "correct horse", "role": "staff", field: value}
        answer = admin_browser.submit(USERS, USERS, data)
        assert answer.status_code == 422
        assert sentence in answer.text
        assert "correct horse" not in answer.text

    def test_an_unknown_role_is_refused(self, app: Flask, admin_browser: Browser) -> None:
        answer = admin_browser.submit(USERS, USERS, {"name": "carl", "password": "correct horse", "role": "god"})
        assert answer.status_code == 422

    def test_role(self, app: Flask, admin_browser: Browser, staff: Login) -> None:
        url = f"{USERS}/{user(app, staff.name).id}/role"
        admin_browser.submit(USERS, url)
        assert user(app, staff.name).role == "admin"
        admin_browser.submit(USERS, url)
        assert user(app, staff.name).role == "staff"

    def test_shut_out_then_remove(self, app: Flask, admin_browser: Browser, staff: Login) -> None:
        url = f"{USERS}/{user(app, staff.name).id}"
        admin_browser.submit(USERS, f"{url}/active")
        assert not user(app, staff.name).active
        admin_browser.submit(USERS, f"{url}/remove")
        with app.app_context():
            assert [one.name for one in users.listing()] == ["anna"]

    @pytest.mark.parametrize("act", ["role", "active"])
    def test_the_last_admin_stays(self, app: Flask, admin_browser: Browser, act: str) -> None:
        admin_browser.submit(USERS, f"{USERS}/{user(app, 'anna').id}/{act}")
        assert (user(app, "anna").role, user(app, "anna").active) == ("admin", True)
        assert "the last administrator" in admin_browser.get(USERS).text

    def test_another_password(self, app: Flask, admin_browser: Browser, browser: Browser, staff: Login) -> None:
        url = f"{USERS}/{user(app, staff.name).id}/password"
        assert "at least 10" in admin_browser.submit(url, url, {"password": "short"}, headers=HTMX).text
        assert admin_browser.submit(url, url, {"password": "quite another one"}).location == USERS
        assert browser.get("/console/voicemail").status_code == 302
        assert browser.log_in(Login(staff.name, "quite another one")).status_code == 303

    def test_an_unknown_user_is_404(self, admin_browser: Browser) -> None:
        data = {"csrf_token": admin_browser.csrf_token(), "role": "staff", "password": "quite another one"}
        for act in ("role", "active", "password", "remove"):
            assert admin_browser.client.post(f"{USERS}/123/{act}", data=data).status_code == 404


class TestOwnPassword:
    """/console/password."""

    def test_it_ends_all_other_sessions(self, app: Flask, browser: Browser, staff: Login) -> None:
        elsewhere = Browser(app.test_client())
        elsewhere.log_in(staff)
        data = {"current": staff.password, "password": "quite another one", "again": "quite another one"}
        assert browser.submit(PASSWORD, PASSWORD, data).status_code == 303
        assert browser.get("/console/voicemail").status_code == 200
        assert elsewhere.get("/console/voicemail").status_code == 302

    @pytest.mark.parametrize(
        ("current", "password", "again", "sentence"),
        [
            ("wrong", "quite another one", "quite another one", "not your present password"),
            ("the password of bert", "quite another one", "and yet another", "differ"),
            ("the password of bert", "short", "short", "at least 10"),
            ("", "quite another one", "quite another one", "Type your present password"),
        ],
    )
    def test_wrong_input(
        self, app: Flask, browser: Browser, current: str, password: str, again: str, sentence: str
    ) -> None:
        answer = browser.submit(PASSWORD, PASSWORD, {"current": current, "password": password, "again": again})
        assert answer.status_code == 422
        assert sentence in answer.text
        with app.app_context():
            assert users.authenticate("bert", "the password of bert")

    def test_guessing_ends(self, app: Flask, browser: Browser, staff: Login) -> None:
        """Whoever found a portal that was left open, or copied its cookie, does not get the password by trying."""
        wrong = {"current": "wrong", "password": "quite another one", "again": "quite another one"}
        codes = [browser.submit(PASSWORD, PASSWORD, wrong).status_code for _ in range(11)]
        assert codes == [422] * 10 + [429]
        right = wrong | {"current": staff.password}
        assert browser.client.post(PASSWORD, data=right | {"csrf_token": browser.csrf_token()}).status_code == 429
        # The limit is that of log-ins, counted for itself: who knows the password can log in.
        assert Browser(app.test_client()).log_in(staff).status_code == 303


class TestTokens:
    """/console/tokens."""

    def test_shown_once_and_good_for_the_api(self, app: Flask, admin_browser: Browser, mailbox: str) -> None:
        assert "No tokens yet" in admin_browser.get(TOKENS).text
        shown = re.search(r"vm_[\w-]{43}", admin_browser.submit(TOKENS, TOKENS, {"name": "crm"}).text)
        assert shown
        assert shown[0] not in admin_browser.get(TOKENS).text
        url, headers = f"/api/voicemail/{mailbox}/messages", {"Authorization": f"Bearer {shown[0]}"}
        assert app.test_client().get(url, headers=headers).status_code == 200
        with app.app_context():
            token = tokens.listing()[0][0]
        admin_browser.submit(TOKENS, f"{TOKENS}/{token.id}/revoke")
        assert app.test_client().get(url, headers=headers).status_code == 401

    def test_of_one_mailbox(self, app: Flask, admin_browser: Browser, mailbox: str) -> None:
        admin_browser.submit(TOKENS, TOKENS, {"name": "wallboard", "extension": mailbox})
        assert "mailbox 1001" in admin_browser.get(TOKENS).text

    @pytest.mark.parametrize(
        ("name", "extension", "sentence"),
        [
            ("", "", "Type a name"),
            ("crm", "99", "no mailbox 99"),
            ("crm", "abc", "1 to 20 digits"),
            ("x" * 65, "", "at most 64"),
        ],
    )
    def test_wrong_input(self, admin_browser: Browser, name: str, extension: str, sentence: str) -> None:
        answer = admin_browser.submit(TOKENS, TOKENS, {"name": name, "extension": extension}, headers=HTMX)
        assert answer.status_code == 422
        assert sentence in answer.text
