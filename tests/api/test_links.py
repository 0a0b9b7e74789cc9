"""Recordings by signed links: whoever has one may listen, until it expires, and to nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.config import Settings
from app.services import audio_links, mailboxes, messages, purge
from tests.support import make_settings

Make = Callable[..., str]


@pytest.fixture
def message_id(mailbox: str, make_message: Make) -> str:
    return make_message()


def link(app: Flask, message_id: str, hours_ago: float = 0) -> str:
    """Path and query of a link that was made some hours ago."""
    with app.app_context():
        url, _ = audio_links.link_of(message_id, datetime.now(UTC) - timedelta(hours=hours_ago))
        assert url.startswith(app.extensions["settings"].public_url)
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_the_recording_without_a_log_in(app: Flask, client: FlaskClient, message_id: str) -> None:
    answer = client.get(link(app, message_id))
    assert (answer.status_code, answer.content_type, answer.data[:4]) == (200, "audio/wav", b"RIFF")
    assert "Set-Cookie" not in answer.headers
    assert client.head(link(app, message_id)).headers["Content-Length"] == str(len(answer.data))


def test_parts_and_caches(app: Flask, client: FlaskClient, message_id: str) -> None:
    url = link(app, message_id)
    whole = client.get(url)
    part = client.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.data) == (206, whole.data[10:20])
    assert client.get(url, headers={"If-None-Match": whole.headers["ETag"]}).status_code == 304
    assert client.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416


def test_it_works_in_another_web_process(app: Flask, settings: Settings, message_id: str) -> None:
    url = link(app, message_id)
    assert create_app(make_settings(settings.instance)).test_client().get(url).status_code == 200


def test_not_in_another_instance(app: Flask, client: FlaskClient, message_id: str) -> None:
    url = link(app, message_id)
    app.config["SECRET_KEY"] = "the key of another instance"
    assert client.get(url).status_code == 403


def test_it_ends(app: Flask, client: FlaskClient, message_id: str) -> None:
    assert client.get(link(app, message_id, hours_ago=23.9)).status_code == 200
    answer = client.get(link(app, message_id, hours_ago=24.1))
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (410, "gone")


@pytest.mark.parametrize(
    "change",
    [
        lambda path, expires, signature: f"{path}?expires={expires}",
        lambda path, expires, signature: f"{path}?signature={signature}",
        lambda path, expires, signature: f"{path}?expires={int(expires) + 1}&signature={signature}",
        lambda path, expires, signature: f"{path}?expires={expires}&signature={signature[:-1]}",
        lambda path, expires, signature: f"{path}?expires={expires}&signature={signature.upper()}",
        lambda path, expires, signature: f"{path}?expires={expires}&signature=%ff%00ü",
        lambda path, expires, signature: f"{path}?expires={expires}&signature=ü",
        lambda path, expires, signature: f"{path}?expires=x&signature={signature}",
        lambda path, expires, signature: f"{path}?expires=%20{expires}&signature={signature}",
        lambda path, expires, signature: path,
    ],
)
def test_a_changed_one_is_refused(app: Flask, client: FlaskClient, message_id: str, change: Callable[..., str]) -> None:
    parts = urlsplit(link(app, message_id))
    query = parse_qs(parts.query)
    answer = client.get(change(parts.path, query["expires"][0], query["signature"][0]))
    assert answer.status_code in (400, 403)
    assert "RIFF" not in answer.text


def test_one_for_another_message_is_refused(
    app: Flask, client: FlaskClient, message_id: str, make_message: Make
) -> None:
    other = make_message()
    assert client.get(link(app, message_id).replace(message_id, other)).status_code == 403


def test_what_is_gone_is_not_found(app: Flask, client: FlaskClient, message_id: str, make_message: Make) -> None:
    purged, other = link(app, message_id), link(app, make_message())
    with app.app_context():
        purge.purge(message_id)
        assert client.get(purged).status_code == 404
        mailboxes.delete("1001", confirm="1001", actor="test")
    assert client.get(other).status_code == 404


def test_listening_by_it_marks_nothing(app: Flask, client: FlaskClient, message_id: str) -> None:
    client.get(link(app, message_id))
    with app.app_context():
        assert messages.get(message_id).state == "new"


def test_only_so_often(settings: Settings, mailbox: str, make_message: Make) -> None:
    message_id = make_message()
    application = create_app(make_settings(settings.instance, VOICEMAIL__LIMITS__API_REQUESTS="3 per minute"))
    url, client = link(application, message_id), application.test_client()
    assert [client.get(url).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert "Retry-After" in client.get(url).headers


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_is_for_reading_only(app: Flask, client: FlaskClient, message_id: str, method: str) -> None:
    assert getattr(client, method)(link(app, message_id)).status_code in (400, 405)
