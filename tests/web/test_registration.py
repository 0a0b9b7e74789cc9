"""The registration with a PBX in the portal and in the numbers for Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask

from app.config import Settings
from tests.support import make_settings
from tests.web.browser import Browser

SETTINGS = "/console/voicemail/settings"
REGISTRAR = {"VOICEMAIL__SIP__REGISTRAR": "pbx.example:5080", "VOICEMAIL__TIMEZONE": "Asia/Tokyo"}


@pytest.fixture
def settings(settings: Settings, instance: Path, valkey: str) -> Settings:
    return make_settings(instance, REDIS_URL=valkey, **REGISTRAR)


@pytest.fixture
def redis_client(valkey: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey) as client:
        yield client


def beat(client: redis.Redis, state: str, reason: str = "", until: str | None = None) -> None:
    registered = {"registrar": "pbx.example:5080", "state": state, "reason": reason, "until": until, "next_try": until}
    for port, said in ((5060, registered), (5062, None)):
        worker = {"host": "one", "sip_port": port, "calls": 0, "registered": said}
        client.set(f"voicemail:worker:one:{port}", json.dumps(worker), ex=60)


def test_the_settings_page_says_until_when(admin_browser: Browser, redis_client: redis.Redis) -> None:
    beat(redis_client, "registered", until="2026-11-24T15:30:00+00:00")
    page = admin_browser.get(SETTINGS).text
    assert "Registration with pbx.example:5080" in page
    assert "registered" in page
    assert "00:30" in page or "12:30" in page


def test_the_settings_page_says_why_not(admin_browser: Browser, redis_client: redis.Redis) -> None:
    beat(redis_client, "refused", "403 <Forbidden>")
    assert "refused: 403 &lt;Forbidden&gt;" in admin_browser.get(SETTINGS).text
    redis_client.flushdb()
    assert "No voice worker says that it registers" in admin_browser.get(SETTINGS).text


@pytest.mark.parametrize("said", ["registered", 5, {"state": "registered", "until": "soon", "next_try": 5}])
def test_a_worker_of_another_version_does_no_harm(
    admin_browser: Browser, redis_client: redis.Redis, said: object
) -> None:
    redis_client.set("voicemail:worker:two:5060", json.dumps({"host": "two", "registered": said}), ex=60)
    for page in (SETTINGS, "/console/voicemail/calls"):
        answer = admin_browser.get(page)
        assert answer.status_code == 200, page


def test_the_numbers_say_whether(app: Flask, redis_client: redis.Redis) -> None:
    line = 'voicemail_registered{registrar="pbx.example:5080",worker="one:5060"}'
    beat(redis_client, "registered", until="2026-11-24T15:30:00+00:00")
    assert f"{line} 1.0" in app.test_client().get("/metrics").text
    beat(redis_client, "trying", "no answer")
    numbers = app.test_client().get("/metrics").text
    assert f"{line} 0.0" in numbers
    assert 'voicemail_registered{registrar="pbx.example:5080",worker="one:5062"}' not in numbers
