"""The API: who may use it, lists, marks, deletes; errors as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.config import Settings
from app.extensions import db
from app.models import Audit, Message
from app.services import mailboxes, messages, tokens
from tests.api.conftest import Program
from tests.conftest import Login
from tests.web.browser import Browser

LIST = "/api/voicemail/1001/messages"
Make = Callable[..., str]
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def url(message_id: str, name: str) -> str:
    return f"/api/voicemail/messages/{message_id}/{name}"


def error(answer: TestResponse) -> tuple[int, str]:
    assert answer.json is not None
    assert set(answer.json) == {"error"}
    assert answer.json["error"]["message"].endswith(".")
    return answer.status_code, answer.json["error"]["code"]


def listed(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    return [row["id"] for row in answer.json["messages"]]


class TestAccess:
    """Bearer tokens and sessions."""

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            "Bearer vm_" + "x" * 43,
            "Basic YTpi",
            "Bearer vm_\u00e9",
            "vm_abc",
        ],
    )
    def test_strangers(self, app: Flask, mailbox: str, header: str | None) -> None:
        answer = app.test_client().get(LIST, headers={"Authorization": header} if header is not None else {})
        assert error(answer) == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_a_revoked_token_is_a_strangers(self, app: Flask, program: Program) -> None:
        assert program.get(LIST).status_code == 200
        with app.app_context():
            tokens.revoke(tokens.listing()[0][0].id, actor="test")
        assert error(program.get(LIST)) == (401, "unauthorized")

    def test_a_wrong_token_is_not_helped_by_a_session(self, app: Flask, mailbox: str, staff: Login) -> None:
        client = app.test_client()
        Browser(client).log_in(staff)
        assert client.get(LIST).status_code == 200
        assert client.get(LIST, headers={"Authorization": "Bearer wrong"}).status_code == 401

    def test_a_session_needs_the_csrf_token_to_change(
        self, app: Flask, mailbox: str, staff: Login, make_message: Make
    ) -> None:
        one, browser = make_message(), Browser(app.test_client())
        browser.log_in(staff)
        refused = browser.client.post(url(one, "read"))
        assert error(refused) == (400, "csrf")
        assert "X-CSRFToken" in refused.text
        token = {"X-CSRFToken": browser.csrf_token()}
        assert browser.client.post(url(one, "read"), headers=token).status_code == 200

    @pytest.mark.parametrize(("method", "name"), [("get", "audio"), ("post", "read"), ("post", "delete")])
    def test_anothers_message_is_unknown(
        self, app: Flask, narrow_program: Program, make_message: Make, method: str, name: str
    ) -> None:
        one = make_message("1001")
        theirs = getattr(narrow_program, method)(url(one, name))
        nobodys = getattr(narrow_program, method)(url(UNKNOWN, name))
        assert error(theirs) == error(nobodys) == (404, "not_found")
        assert theirs.json == nobodys.json
        with app.app_context():
            message = db.session.get(Message, one)
            assert message is not None
            assert (message.state, message.deleted_at) == ("new", None)

    def test_anothers_mailbox_is_unknown(self, narrow_program: Program) -> None:
        assert error(narrow_program.get(LIST)) == (404, "not_found")
        assert error(narrow_program.get("/api/voicemail/4444/messages")) == (404, "not_found")
        assert narrow_program.get("/api/voicemail/1002/messages").status_code == 200

    def test_the_token_of_a_deleted_mailbox_is_a_strangers(self, app: Flask, narrow_program: Program) -> None:
        with app.app_context():
            mailboxes.delete("1002", confirm="1002", actor="test")
            mailboxes.create("1002", pin="4711", actor="test")
        assert narrow_program.get("/api/voicemail/1002/messages").status_code == 401

    def test_the_record_names_the_token(self, app: Flask, program: Program, make_message: Make) -> None:
        program.post(url(make_message(), "delete"))
        with app.app_context():
            row = db.session.scalars(db.select(Audit).where(Audit.action == "message.delete")).one()
            assert row.actor == "token all"


class TestList:
    """GET /api/voicemail/{ext}/messages."""

    def test_a_message(self, program: Program, make_message: Make) -> None:
        one = make_message(received_at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC), urgent=True, seconds=2.016)
        answer = program.get(LIST)
        body = answer.json
        assert body is not None
        deliveries = body["messages"][0].pop("deliveries")
        assert body == {
            "messages": [
                {
                    "id": one,
                    "extension": "1001",
                    "caller": "0301234567",
                    "caller_name": "Carla Caller",
                    "received_at": "2026-03-01T12:30:00+00:00",
                    "duration": 2.016,
                    "status": "new",
                    "urgent": True,
                    "audio_url": f"http://localhost/api/voicemail/messages/{one}/audio",
                }
            ],
            "next": None,
        }
        assert [(row["kind"], row["state"]) for row in deliveries] == [
            ("upload", "done"), ("email", "skipped"), ("webhook", "skipped"),
        ]  # fmt: skip
        assert deliveries[0]["attempts"] == 1
        assert deliveries[0]["done_at"]

    def test_pages_by_cursor(self, program: Program, make_message: Make) -> None:
        now = datetime.now(UTC)
        ids = [make_message(uploaded=False, received_at=now - timedelta(minutes=n)) for n in range(5)]
        seen, cursor = [], None
        for _ in range(3):
            answer = program.get(LIST, query_string={"limit": 2, **({"cursor": cursor} if cursor else {})})
            seen += listed(answer)
            assert answer.json is not None
            cursor = answer.json["next"]
        assert seen == ids
        assert cursor is None

    def test_by_status(self, app: Flask, program: Program, make_message: Make) -> None:
        new, saved, gone, silent = make_message(), make_message(), make_message(), make_message(discarded=True)
        with app.app_context():
            messages.mark(saved, "saved", actor="test")
            messages.trash(gone, actor="test")
        found = {status: set(listed(program.get(f"{LIST}?status={status}"))) for status in messages.VIEWS}
        assert found == {
            "all": {new, saved}, "new": {new}, "saved": {saved}, "trash": {gone}, "discarded": {silent},
        }  # fmt: skip
        assert set(listed(program.get(LIST))) == {new, saved}

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("status=old", "status"),
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("limit=x", "limit"),
            ("limit=-1", "limit"),
            ("limit=" + "9" * 5000, "limit"),
            ("limit=²", "limit"),
            ("cursor=!", "cursor"),
            ("cursor=AAAA", "cursor"),
        ],
    )
    def test_wrong_input(self, program: Program, query: str, field: str) -> None:
        answer = program.get(f"{LIST}?{query}")
        assert error(answer) == (422, "invalid")
        assert answer.json is not None
        assert list(answer.json["error"]["fields"]) == [field]

    def test_a_nul_is_refused(self, program: Program) -> None:
        assert program.get(f"{LIST}?cursor=a%00b").status_code == 400


class TestActs:
    """POST …/read and …/delete."""

    def test_read(self, program: Program, make_message: Make) -> None:
        one = make_message()
        answer = program.post(url(one, "read"))
        assert answer.status_code == 200
        assert answer.json is not None
        assert (answer.json["id"], answer.json["status"]) == (one, "saved")
        assert program.post(url(one, "read")).status_code == 200

    def test_delete(self, app: Flask, program: Program, make_message: Make) -> None:
        one = make_message()
        for _ in range(2):
            answer = program.post(url(one, "delete"))
            assert (answer.status_code, answer.data) == (204, b"")
        assert listed(program.get(f"{LIST}?status=trash")) == [one]

    @pytest.mark.parametrize("message_id", [UNKNOWN, "1", "abc", "%27", "a" * 100])
    @pytest.mark.parametrize("name", ["read", "delete"])
    def test_unknown(self, program: Program, message_id: str, name: str) -> None:
        assert error(program.post(url(message_id, name))) == (404, "not_found")

    def test_a_recording_without_speech_is_not_read(self, program: Program, make_message: Make) -> None:
        assert error(program.post(url(make_message(discarded=True), "read"))) == (422, "invalid")

    def test_the_wrong_method(self, program: Program, make_message: Make) -> None:
        answer = program.get(url(make_message(), "read"))
        assert error(answer)[0] == 405
        assert "POST" in answer.headers["Allow"]
        assert answer.json is not None
        # Written for programs, which have no page to go back to.
        assert "page" not in answer.json["error"]["message"]


class TestLimit:
    """limits.api_requests."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, limits=replace(settings.limits, api_requests="3 per minute"))

    def test_a_token_is_counted_by_itself(self, app: Flask, program: Program, narrow_program: Program) -> None:
        assert [program.get(LIST).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert narrow_program.get("/api/voicemail/1002/messages").status_code == 200

    def test_the_refusal(self, program: Program) -> None:
        answers = [program.get(LIST) for _ in range(4)]
        assert error(answers[-1]) == (429, "too_many")
        assert 0 < int(answers[-1].headers["Retry-After"]) <= 60

    def test_strangers_are_counted_by_address(self, app: Flask, mailbox: str) -> None:
        client = app.test_client()
        wrong = [client.get(LIST, headers={"Authorization": f"Bearer vm_{n}"}).status_code for n in range(4)]
        assert wrong == [401, 401, 401, 429]


def test_audio_addresses_are_those_that_browsers_reach(settings: Settings, app: Flask, program: Program) -> None:
    public = replace(settings, web=replace(settings.web, public_url="https://voicemail.example.com/"))
    app.extensions["settings"] = public
    with app.app_context():
        from tests.conftest import leave_message

        one = leave_message(app, "1001")
    answer = program.get(LIST)
    assert answer.json is not None
    assert (
        answer.json["messages"][0]["audio_url"] == f"https://voicemail.example.com/api/voicemail/messages/{one}/audio"
    )
