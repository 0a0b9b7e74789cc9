"""rq-dashboard in the portal: for administrators, to be looked at, under a strict policy."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask
from redis import Redis
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from tests.web.browser import Browser

HOME = "/console/queues/"
VIEWS = (HOME, f"{HOME}0/view/workers", f"{HOME}0/view/jobs", f"{HOME}0/view/jobs/email/failed/8/asc/1")
DATA = f"{HOME}0/data"


@pytest.fixture
def redis_there(app: Flask, valkey: str) -> str:
    """Redis as the portal knows it."""
    app.extensions["settings"] = replace(app.extensions["settings"], redis_url=valkey)
    return valkey


@pytest.fixture
def job(redis_there: str) -> Job:
    """A job that waits."""
    queue = Queue("email", connection=Redis.from_url(redis_there), serializer=JSONSerializer)
    return queue.enqueue_call("app.jobs.run.deliver", args=("a-delivery",), description="email of message 1")


@pytest.mark.parametrize("url", [*VIEWS, f"{DATA}/queues.json", f"{HOME}static/css/main.css"])
def test_it_is_for_administrators(redis_there: str, browser: Browser, stranger: Browser, url: str) -> None:
    assert stranger.get(url).location.startswith("/login")
    answer = browser.get(url)
    assert answer.status_code == 403
    assert "Only administrators" in answer.text


def test_staff_are_not_shown_the_way(browser: Browser, admin_browser: Browser) -> None:
    page = "/console/voicemail/deliveries"
    assert HOME not in browser.get(page).text
    assert f'href="{HOME}"' in admin_browser.get(page).text


@pytest.mark.parametrize("url", VIEWS)
def test_each_inline_script_has_the_nonce_of_its_answer_and_nothing_is_remote(
    redis_there: str, admin_browser: Browser, url: str
) -> None:
    page = admin_browser.get(url)
    assert page.status_code == 200
    policy = page.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'self' 'nonce-([\w-]{20,})'; ", policy)
    assert nonce
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    scripts = re.findall(r"<script(?![^>]*type=\"text/template\")[^>]*>", page.text)
    assert len(scripts) == 5
    assert all("src=" in script or f'nonce="{nonce[1]}"' in script for script in scripts)
    assert " style=" not in page.text
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.text)
    assert nonce[1] not in admin_browser.get(url).headers["Content-Security-Policy"]


def test_queues_jobs_and_workers(job: Job, admin_browser: Browser) -> None:
    queues = admin_browser.get(f"{DATA}/queues.json").json
    assert queues is not None
    assert [(one["name"], one["count"]) for one in queues["queues"]] == [("email", 1)]
    jobs = admin_browser.get(f"{DATA}/jobs/email/queued/8/asc/1.json").json
    assert jobs is not None
    assert [one["id"] for one in jobs["jobs"]] == [job.id]
    shown = admin_browser.get(f"{DATA}/job/{job.id}.json").json
    assert shown is not None
    assert (shown["origin"], shown["description"]) == ("email", "email of message 1")
    assert admin_browser.get(f"{HOME}0/view/job/{job.id}").status_code == 200
    assert admin_browser.get(f"{DATA}/workers.json").json == {"workers": []}


@pytest.mark.parametrize("act", ["job/{}/delete", "job/{}/requeue", "requeue/email", "queue/email/queued/empty"])
def test_nothing_can_be_done(job: Job, admin_browser: Browser, act: str) -> None:
    url = HOME + act.format(job.id)
    assert admin_browser.client.post(url).status_code == 400, "a form of another site"
    answer = admin_browser.client.post(url, data={"csrf_token": admin_browser.csrf_token()})
    assert answer.status_code == 403
    assert "can only be looked at" in answer.text
    assert job.get_status() == "queued"


def test_an_act_by_a_link_neither(job: Job, admin_browser: Browser) -> None:
    assert admin_browser.get(f"{HOME}requeue/email").status_code == 403


@pytest.mark.parametrize(
    "url",
    [
        f"{HOME}1/view/queues",
        f"{HOME}0/view/job/nothing",
        f"{DATA}/job/nothing.json",
        f"{DATA}/jobs/email/nothing/8/asc/1.json",
        f"{DATA}/jobs/email/queued/x/asc/1.json",
        f"{DATA}/jobs/email/queued/8/asc/-1.json",
        f"{HOME}0/view/jobs/email/queued/100000/asc/1",
    ],
)
def test_what_there_is_not_is_404(redis_there: str, admin_browser: Browser, url: str) -> None:
    assert admin_browser.get(url).status_code == 404


@pytest.mark.parametrize("url", [*VIEWS, f"{DATA}/queues.json"])
def test_while_redis_is_away_it_says_so(admin_browser: Browser, url: str) -> None:
    answer = admin_browser.get(url)
    assert answer.status_code == 503
    assert "Redis is away" in answer.text


def test_no_page_shows_the_address_of_redis(redis_there: str, admin_browser: Browser) -> None:
    for url in VIEWS:
        assert "valkey.sock" not in admin_browser.get(url).text
