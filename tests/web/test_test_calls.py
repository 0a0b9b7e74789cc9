"""The button for a test call: it asks the voice side, and shows how the call gets on, with scripts and without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from flask import Flask
from rq import Queue
from rq.job import JobStatus
from rq.serializers import JSONSerializer

from app import create_app
from app.config import Settings
from app.extensions import db
from tests.web.browser import HTMX, Browser

BOX = "/console/voicemail/1001"
START = "/console/voicemail/mailboxes/1001/test-call"


class TestWithQueue:
    """Redis is there."""

    @pytest.fixture
    def app(self, settings: Settings, valkey: str) -> Iterator[Flask]:
        app = create_app(replace(settings, redis_url=valkey))
        yield app
        with app.app_context():
            db.engine.dispose()

    @pytest.fixture
    def jobs(self, app: Flask) -> Queue:
        settings: Settings = app.extensions["settings"]
        connection = redis.Redis.from_url(settings.redis_url)
        return Queue(f"voice.{settings.host_name}", connection=connection, serializer=JSONSerializer)

    def test_it_asks_the_voice_side_for_a_call_in_the_mailboxs_language(
        self, browser: Browser, mailbox: str, jobs: Queue
    ) -> None:
        answer = browser.submit(BOX, START)
        assert answer.status_code == 303
        assert [(job.func_name, job.args) for job in jobs.jobs] == [("voice.jobs.place_test_call", ["1001", "en"])]
        page = browser.get(answer.location)
        assert "about to start" in page.text
        assert 'http-equiv="refresh"' in page.text

    def test_with_htmx_the_progress_shows_itself(self, browser: Browser, mailbox: str, jobs: Queue) -> None:
        answer = browser.submit(BOX, START, headers=HTMX)
        assert f'hx-get="{START}/{jobs.jobs[0].id}"' in answer.text
        assert "every 1s" in answer.text
        assert "<html" not in answer.text

    def test_a_call_that_ended_early(self, browser: Browser, mailbox: str, jobs: Queue) -> None:
        shown = browser.submit(BOX, START).location
        jobs.jobs[0].set_status(JobStatus.FAILED)
        answer = browser.get(shown, headers=HTMX)
        assert "every 1s" not in answer.text
        assert 'class="notice problem"' in answer.text
        assert 'http-equiv="refresh"' not in browser.get(shown).text
        assert "Place another test call" in answer.text

    @pytest.mark.parametrize("job_id", ["00000000-0000-4000-8000-000000000000", "1", "delivery-1"])
    def test_an_unknown_call(self, browser: Browser, mailbox: str, job_id: str) -> None:
        answer = browser.get(f"{START}/{job_id}")
        assert "Nothing is known of this test call" in answer.text or answer.status_code == 404


def test_without_the_queue_it_says_so(browser: Browser, mailbox: str) -> None:
    answer = browser.submit(BOX, START)
    assert answer.status_code == 503
    assert "The job queue is away" in answer.text
    assert int(answer.headers["Retry-After"]) > 0


def test_an_unknown_mailbox(browser: Browser) -> None:
    answer = browser.client.post("/console/voicemail/mailboxes/99/test-call", data={"csrf_token": browser.csrf_token()})
    assert answer.status_code == 404
