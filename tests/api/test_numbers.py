"""Numbers as programs make, read, change and delete them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import Audit, Number
from app.models.base import new_id
from app.services import mailboxes, numbers, tokens
from tests.api.conftest import Program
from tests.conftest import Login
from tests.web.browser import Browser

ALL = "/api/voicemail/numbers"
URL = "https://example.com/voice"


def create(program: Program, **fields: Any) -> TestResponse:
    return program.post(ALL, json={"number": "5551234", "voice_url": URL} | fields)


def call(program: Program, method: str, url: str, **options: Any) -> TestResponse:
    return program.client.open(url, method=method, headers={"Authorization": f"Bearer {program.token}"}, **options)


def fields_of(answer: TestResponse) -> dict[str, str]:
    assert answer.status_code == 422
    assert answer.json is not None
    assert answer.json["error"]["code"] == "invalid"
    found: dict[str, str] = answer.json["error"]["fields"]
    return found


def test_a_number_from_its_making_to_its_end(app: Flask, program: Program) -> None:
    made = create(program, name="Sales", voice_method="get")
    assert made.status_code == 201
    assert made.json is not None
    number_id, created_at = made.json["id"], made.json["created_at"]
    expected = {
        "id": number_id, "number": "5551234", "mailbox": None, "name": "Sales", "language": "en", "voice_url": URL,
        "voice_method": "GET", "fallback_url": "", "fallback_method": "POST", "status_callback": "",
        "status_callback_method": "POST", "created_at": created_at, "warnings": [],
    }  # fmt: skip
    assert made.json == expected
    one = f"{ALL}/{number_id}"
    assert program.get(one).json == expected
    assert program.get(ALL).json == {"numbers": [expected], "next": None}
    changed = call(program, "PATCH", one, json={"number": "*55", "name": None, "fallback_url": "http://127.0.0.1/"})
    assert changed.status_code == 200
    assert changed.json is not None
    assert "127.0.0.1 is a private address" in changed.json["warnings"][0]
    assert (changed.json["number"], changed.json["name"], changed.json["voice_method"]) == ("*55", "", "GET")
    assert program.post(one, json={"language": "fr"}).json == changed.json | {"language": "fr"}
    assert call(program, "DELETE", one).status_code == 204
    assert program.get(one).status_code == 404
    with app.app_context():
        assert {line.actor for line in db.session.query(Audit).filter(Audit.action.like("number.%"))} == {"token all"}


def test_a_mailboxs_own_document(app: Flask, program: Program) -> None:
    made = create(program, number=None, mailbox="1001")
    assert made.status_code == 201
    assert made.json is not None
    assert (made.json["number"], made.json["mailbox"]) == (None, "1001")
    one = f"{ALL}/{made.json['id']}"
    assert call(program, "PATCH", one, json={"voice_method": "GET"}).status_code == 200
    assert list(fields_of(call(program, "PATCH", one, json={"number": "77"}))) == ["number"]
    assert list(fields_of(create(program, number=None, mailbox="1001"))) == ["mailbox"]
    assert create(program, number=None, mailbox="9").status_code == 404
    with app.app_context():
        mailboxes.delete("1001", confirm="1001", actor="test")
    assert program.get(one).status_code == 404


def test_the_list_has_pages(program: Program) -> None:
    for number in range(5):
        create(program, number=str(number))
    seen, cursor = [], ""
    while cursor is not None:
        page = program.get(f"{ALL}?limit=2&cursor={cursor}").json
        assert page is not None
        seen += [row["number"] for row in page["numbers"]]
        cursor = page["next"]
    assert seen == ["4", "3", "2", "1", "0"]
    assert list(fields_of(program.get(f"{ALL}?limit=0"))) == ["limit"]
    assert list(fields_of(program.get(f"{ALL}?cursor=x"))) == ["cursor"]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"number": "5551234"}, "voice_url"),
        ({"voice_url": URL}, "number"),
        ({"number": "a b", "voice_url": URL}, "number"),
        ({"number": "1001", "voice_url": URL}, "number"),
        ({"number": "1", "voice_url": "no url"}, "voice_url"),
        ({"number": 5551234, "voice_url": URL}, "number"),
        ({"number": "1", "voice_url": [URL]}, "voice_url"),
        ({"number": "1", "voice_url": URL, "voice_method": "PUT"}, "voice_method"),
        ({"number": "1", "voice_url": URL, "language": "xx"}, "language"),
        ({"number": "1", "voice_url": URL, "id": "1"}, "id"),
        ({"number": "\0", "voice_url": URL}, "number"),
        ([], "body"),
        ("x", "body"),
        (None, "body"),
    ],
)
def test_wrong_input_is_said_of_its_field(program: Program, sent: object, field: str) -> None:
    problems = fields_of(program.post(ALL, json=sent))
    assert list(problems) == [field]
    assert problems[field].endswith((".", "status_callback_method, mailbox."))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json(program: Program, body: bytes) -> None:
    answer = program.post(ALL, data=body, content_type="application/json")
    assert list(fields_of(answer)) == ["body"]


def test_what_is_not_sent_stays_as_another_one_made_it_meanwhile(
    app: Flask, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create(program, name="Sales").json
    assert made is not None
    one, writing = f"{ALL}/{made['id']}", numbers.writing

    def another_one() -> None:
        with app.app_context():
            row = db.session.get(Number, made["id"])
            assert row is not None
            row.name, row.voice_method = "Theirs", "GET"
            db.session.commit()

    def writing_later() -> AbstractContextManager[None]:
        """The other one commits after all that was read before, and before the transaction."""
        monkeypatch.setattr(numbers, "writing", writing)
        db.session.rollback()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(another_one).result(20)
        return writing()

    monkeypatch.setattr(numbers, "writing", writing_later)
    expected = made | {"name": "Theirs", "voice_method": "GET", "language": "fr"}
    assert call(program, "PATCH", one, json={"language": "fr"}).json == expected
    assert program.get(one).json == expected


def test_unknown_ones(program: Program) -> None:
    for number_id in (new_id(), "abc"):
        for method in ("GET", "PATCH", "DELETE"):
            assert call(program, method, f"{ALL}/{number_id}", json={}).status_code == 404


def test_who_may(app: Flask, program: Program, narrow_program: Program) -> None:
    made = create(program).json
    assert made is not None
    one = f"{ALL}/{made['id']}"
    stranger = app.test_client()
    for method, url in (("GET", ALL), ("POST", ALL), ("GET", one), ("PATCH", one), ("POST", one), ("DELETE", one)):
        assert stranger.open(url, method=method, json={}).status_code == 401
        refused = call(narrow_program, method, url, json={})
        assert refused.status_code == 403
        assert refused.json is not None
        assert refused.json["error"]["code"] == "forbidden"
    with app.app_context():
        assert db.session.query(Number).count() == 1


def test_sessions(app: Flask, program: Program, admin: Login, staff: Login) -> None:
    made = create(program, voice_url="https://anna:pass@example.com/voice").json
    assert made is not None
    one = f"{ALL}/{made['id']}"
    for login, status, shown in ((staff, 403, "https://***@example.com/voice"), (admin, 200, made["voice_url"])):
        browser = Browser(app.test_client())
        browser.log_in(login)
        assert browser.get(one).json == made | {"voice_url": shown}
        token = {"X-CSRFToken": browser.csrf_token()}
        assert browser.client.patch(one, json={"name": "x"}).status_code == 400
        assert browser.client.patch(one, json={"name": ""}, headers=token).status_code == status


def test_a_token_of_all_ends_with_its_revocation(app: Flask, program: Program) -> None:
    with app.app_context():
        (token,) = [token for token, _ in tokens.listing()]
        tokens.revoke(token.id, actor="test")
    assert create(program).status_code == 401
