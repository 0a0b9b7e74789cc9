"""The job around a delivery: what each way to fail becomes in the outbox."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy.exc import OperationalError

from app.delivery.errors import PermanentError, TemporaryError
from app.jobs import run
from app.services import outbox
from app.services.outbox import Outcome
from tests.jobs.owed import owe, row


@pytest.fixture
def deliver(app, monkeypatch):
    """Do the upload of a new message with a handler of the test's own; the row afterwards."""

    def deliver(handler):
        message_id = owe(app)
        monkeypatch.setitem(run.HANDLERS, "upload", handler)
        with app.app_context():
            run.deliver(row(app, message_id).id)
        return row(app, message_id)

    return deliver


def raising(error: BaseException):
    def handler(*_: object) -> Outcome:
        raise error

    return handler


def test_done(deliver):
    assert deliver(lambda claim, settings: Outcome(outbox.DONE)).state == "done"


def test_a_temporary_error_is_tried_again(deliver):
    left = deliver(raising(TemporaryError("the store is away\nsecond line")))
    assert (left.state, left.last_error, left.attempts) == ("pending", "the store is away", 1)


def test_what_the_other_side_asked_for_reaches_the_row(deliver):
    left = deliver(raising(TemporaryError("slow down", retry_after=300)))
    assert (left.next_try_at - left.started_at).total_seconds() >= 300


def test_a_permanent_error_has_failed(deliver):
    left = deliver(raising(PermanentError("no such bucket")))
    assert (left.state, left.last_error) == ("failed", "no such bucket")
    assert left.done_at is not None


def test_an_error_without_words_has_its_name(deliver):
    assert deliver(raising(KeyError())).last_error == "KeyError: KeyError"


def test_an_error_of_any_length_fits(deliver):
    assert len(deliver(raising(TemporaryError("x" * 10**6))).last_error) == 500


def test_a_kind_that_this_version_does_not_have_has_failed(app, monkeypatch):
    message_id = owe(app)
    monkeypatch.delitem(run.HANDLERS, "upload")
    with app.app_context():
        run.deliver(row(app, message_id).id)
    assert (row(app, message_id).state, "upload" in row(app, message_id).last_error) == ("failed", True)


def test_the_database_away_in_the_middle_leaves_the_lease_to_lapse(deliver, caplog):
    with caplog.at_level(logging.ERROR):
        left = deliver(raising(OperationalError("SELECT 1", {}, Exception("the server is gone"))))
    assert left.state == "running"
    assert "the database is away" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_kill_leaves_the_lease_to_lapse(app):
    class Killed(BaseException):
        pass

    message_id = owe(app)
    with app.app_context(), pytest.MonkeyPatch.context() as patch:
        patch.setitem(run.HANDLERS, "upload", raising(Killed()))
        with pytest.raises(Killed):
            run.deliver(row(app, message_id).id)
    assert row(app, message_id).state == "running"


@pytest.mark.parametrize("delivery_id", ["", "none", "x" * 10_000, "\x00"])
def test_a_job_for_an_unknown_delivery_does_nothing(app, delivery_id):
    with app.app_context():
        run.deliver(delivery_id)
