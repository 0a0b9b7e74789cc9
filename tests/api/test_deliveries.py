"""Deliveries by the API: their histories, and trying again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from app.extensions import db
from app.models import Attempt, Delivery, Message
from app.models.base import utc_now
from app.services import purge
from tests.api.conftest import Program

LIST = "/api/voicemail/1001/messages"
Make = Callable[..., str]


def add(app: Flask, message_id: str, **facts: object) -> str:
    """A delivery of a message that failed, or is as the facts say; its id."""
    values = {"kind": "email", "target": "anna@example.com", "state": "failed", "attempts": 2, "last_error": "no"}
    with app.app_context():
        box = db.session.get_one(Message, message_id).mailbox_id
        row = Delivery(mailbox_id=box, message_id=message_id, position=2, **{**values, **facts})
        db.session.add(row)
        db.session.flush()
        for number in (1, 2):
            ended = utc_now() + timedelta(seconds=number)
            db.session.add(
                Attempt(
                    delivery_id=row.id,
                    attempt=number,
                    started_at=ended - timedelta(seconds=1),
                    ended_at=ended,
                    state="pending",
                    error=f"no {number}",
                    next_try_at=ended + timedelta(seconds=5),
                )
            )
        db.session.commit()
        return row.id


def listed(program: Program, delivery_id: str) -> dict[str, object]:
    """A delivery as the list of messages has it."""
    answer = program.get(LIST).json
    assert answer is not None
    return next(one for row in answer["messages"] for one in row["deliveries"] if one["id"] == delivery_id)


def test_a_delivery_with_its_history(app: Flask, program: Program, make_message: Make) -> None:
    later = utc_now() + timedelta(hours=1)
    one = add(app, make_message(), state="pending", next_try_at=later)
    found = listed(program, one)
    history = found.pop("history")
    assert found == {
        "id": one,
        "kind": "email",
        "event": "message.created",
        "to": "anna@example.com",
        "state": "pending",
        "attempts": 2,
        "last_error": "no",
        "next_try_at": later.isoformat(),
        "done_at": None,
    }
    assert isinstance(history, list)
    assert [(line["attempt"], line["state"], line["error"]) for line in history] == [
        (1, "pending", "no 1"),
        (2, "pending", "no 2"),
    ]
    assert history[0]["started_at"] < history[0]["ended_at"] < history[0]["next_try_at"]


def test_no_next_try_where_there_is_none(app: Flask, program: Program, make_message: Make) -> None:
    assert listed(program, add(app, make_message()))["next_try_at"] is None


def test_of_a_webhook_only_the_host(app: Flask, program: Program, make_message: Make) -> None:
    settings = app.extensions["settings"]
    hook = replace(settings.webhook, url="https://user:pass@hooks.example:8443/hidden?token=hidden")
    app.extensions["settings"] = replace(settings, webhook=hook)
    one = add(app, make_message(), kind="webhook", target="global")
    assert listed(program, one)["to"] == "hooks.example:8443"
    text = program.get(LIST).text
    assert "hidden" not in text
    assert "pass" not in text


def test_a_list_asks_as_often_for_many_messages_as_for_one(app: Flask, program: Program, make_message: Make) -> None:
    def queries() -> int:
        asked: list[str] = []
        with app.app_context():
            engine = db.engine
        note = lambda *given: asked.append(given[2])  # noqa: E731
        db.event.listen(engine, "before_cursor_execute", note)
        assert program.get(LIST).status_code == 200
        db.event.remove(engine, "before_cursor_execute", note)
        return len(asked)

    add(app, make_message())
    queries()
    once = queries()
    for _ in range(5):
        add(app, make_message())
    assert queries() == once


class TestRetry:
    """POST /api/voicemail/messages/{id}/deliveries/retry."""

    def test_what_failed_is_tried_again_and_its_history_stays(
        self, app: Flask, program: Program, make_message: Make
    ) -> None:
        one = make_message()
        failed = add(app, one)
        for _ in range(2):
            answer = program.post(f"/api/voicemail/messages/{one}/deliveries/retry")
            assert answer.status_code == 200
            assert answer.json is not None
            assert answer.json["id"] == one
            again = next(row for row in answer.json["deliveries"] if row["id"] == failed)
            assert (again["state"], again["attempts"], len(again["history"])) == ("pending", 0, 2)

    @pytest.mark.parametrize("message_id", ["1", "00000000-0000-4000-8000-000000000000"])
    def test_an_unknown_message_is_404(self, program: Program, message_id: str) -> None:
        assert program.post(f"/api/voicemail/messages/{message_id}/deliveries/retry").status_code == 404

    def test_a_purged_one_too(self, app: Flask, program: Program, make_message: Make) -> None:
        one = make_message()
        with app.app_context():
            purge.purge(one)
        assert program.post(f"/api/voicemail/messages/{one}/deliveries/retry").status_code == 404

    def test_anothers_is_404_and_stays_as_it_is(self, app: Flask, narrow_program: Program, make_message: Make) -> None:
        one = make_message()
        failed = add(app, one)
        assert narrow_program.post(f"/api/voicemail/messages/{one}/deliveries/retry").status_code == 404
        with app.app_context():
            assert db.session.get_one(Delivery, failed).state == "failed"
