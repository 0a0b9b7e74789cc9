"""Recordings by REST, asked for by Twilio's own client over a real socket, and by whoever may not."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import soundfile
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client
from werkzeug.serving import make_server

from app.account import Account, account_of
from app.extensions import db
from app.models import Audit, Recording
from app.services import recorded_audio
from app.services.spool import wav_of
from tests.conftest import Login
from tests.services.recorded import CALL_SID, STARTED, recorded, row
from tests.web.browser import Browser
from voice.media.wav import HEADER_SIZE

OTHER_CALL = "CA" + "0e" * 16
CONSOLE = f"/console/voicemail/programmed-calls/{CALL_SID}/recordings"
ELSEWHERE = "RE" + "00" * 16


class Served:
    """The application behind a real socket. url: as a client's base URL."""

    def __init__(self, app: Flask, url: str) -> None:
        self.app, self.url = app, url
        self.account: Account = account_of(app.extensions["settings"])
        self.path = f"/2010-04-01/Accounts/{self.account.sid}"

    def client(self, sid: str = "", token: str = "") -> Client:
        """Twilio's own client, as its documentation makes one, with another base URL."""
        made = Client(sid or self.account.sid, token or self.account.token)
        made.api.base_url = self.url
        return made

    def http(self, auth: Any = True) -> httpx.Client:
        """A plain client; with the right credentials unless others are given."""
        credentials = (self.account.sid, self.account.token) if auth is True else auth
        return httpx.Client(base_url=self.url, auth=credentials)


@pytest.fixture
def served(app: Flask) -> Iterator[Served]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    settings = app.extensions["settings"]
    app.extensions["settings"] = replace(settings, web=replace(settings.web, public_url=url))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with app.app_context():
            yield Served(app, url)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def audio(sid: str) -> bytes:
    """What was recorded, wherever it is."""
    heard = b"".join(recorded_audio.open_audio(row(sid)).blocks())
    db.session.rollback()
    return heard


# What Twilio's own client does with it.


def test_fetch_gives_every_field(served: Served) -> None:
    sid = recorded(seconds=2.6, call_sid=CALL_SID)
    found = served.client().recordings(sid).fetch()
    assert (found.sid, found.account_sid, found.call_sid) == (sid, served.account.sid, CALL_SID)
    assert (found.duration, found.status, found.source, found.channels) == ("3", "completed", "RecordVerb", 1)
    assert found.start_time == STARTED.replace(microsecond=0)
    assert found.date_created == found.date_updated == row(sid).created_at.replace(microsecond=0)
    assert found.uri == f"{served.path}/Recordings/{sid}.json"
    assert found.media_url == f"{served.url}{served.path}/Recordings/{sid}"
    assert (found.api_version, found.conference_sid, found.error_code, found.price) == ("2010-04-01", None, None, None)


def test_a_list_is_the_newest_first(served: Served) -> None:
    now = datetime.now(UTC)
    sids = [recorded(created_at=now - timedelta(minutes=age)) for age in (3, 1, 2)]
    assert [one.sid for one in served.client().recordings.list()] == [sids[1], sids[2], sids[0]]
    assert [one.sid for one in served.client().recordings.list(limit=2)] == [sids[1], sids[2]]


def made_of(number: int) -> list[str]:
    """Rows of recordings without audio, the newest first; some are of the same moment."""
    first = recorded()
    pattern, now = row(first), datetime(2026, 11, 1, tzinfo=UTC)
    made = [
        Recording(
            sid=f"RE{place:032x}",
            call_sid=pattern.call_sid,
            take_id=None,
            status="completed",
            duration=1.0,
            started_at=now,
            created_at=now - timedelta(seconds=place // 3),
        )
        for place in range(number - 1)
    ]
    db.session.add_all(made)
    db.session.commit()
    order = select(Recording.sid).order_by(Recording.created_at.desc(), Recording.sid.desc())
    sids = list(db.session.scalars(order))
    db.session.rollback()
    return sids


def test_a_stream_goes_over_all_pages_each_once(served: Served) -> None:
    sids = made_of(132)
    assert [one.sid for one in served.client().recordings.stream()] == sids
    assert [one.sid for one in served.client().recordings.stream(page_size=7)] == sids
    assert [one.sid for one in served.client().recordings.list(limit=60)] == sids[:60]


def test_pages_lead_on_and_back(served: Served) -> None:
    sids = made_of(8)
    first = served.client().recordings.page(page_size=3)
    assert [one.sid for one in first] == sids[:3]
    assert first.previous_page_url is None
    second = first.next_page()
    assert second is not None
    assert [one.sid for one in second] == sids[3:6]
    third = second.next_page()
    assert third is not None
    assert [one.sid for one in third] == sids[6:]
    assert third.next_page() is None
    back = third.previous_page()
    assert back is not None
    assert [one.sid for one in back] == sids[3:6]
    again = back.previous_page()
    assert again is not None
    assert [one.sid for one in again] == sids[:3]
    assert (
        served.client().recordings.get_page(f"{served.url}{served.path}/Recordings.json?PageSize=3&Page=2") is not None
    )


def test_what_comes_and_goes_meanwhile_neither_repeats_nor_hides_any(served: Served) -> None:
    sids = made_of(6)
    client = served.client()
    first = client.recordings.page(page_size=2)
    assert [one.sid for one in first] == sids[:2]
    recorded()
    client.recordings(sids[1]).delete()
    following = first.next_page()
    assert following is not None
    assert [one.sid for one in following] == sids[2:4]


def test_what_a_page_says_of_itself(served: Served) -> None:
    made_of(5)
    with served.http() as http:
        said = http.get(f"{served.path}/Recordings.json", params={"PageSize": 2, "Page": 1, "CallSid": CALL_SID}).json()
    kept = f"{served.path}/Recordings.json?CallSid={CALL_SID}&PageSize=2"
    last = said["recordings"][-1]["sid"]
    assert (said["page"], said["page_size"], said["start"], said["end"]) == (1, 2, 2, 3)
    assert said["first_page_uri"] == f"{kept}&Page=0"
    assert said["next_page_uri"] == f"{kept}&Page=2&PageToken=PA{last}"
    assert said["previous_page_uri"].startswith(f"{kept}&Page=0&PageToken=PB")
    assert said["uri"] == f"{kept}&Page=1"


def test_filters_by_call_and_by_date(served: Served) -> None:
    noon = datetime(2026, 11, 5, 12, tzinfo=UTC)
    before, on, after = (recorded(created_at=noon + timedelta(days=days)) for days in (-1, 0, 1))
    other = recorded(call_sid=OTHER_CALL, created_at=noon)
    client = served.client()

    def found(**wanted: Any) -> set[str]:
        return {one.sid for one in client.recordings.list(**wanted)}

    assert found(call_sid=OTHER_CALL) == {other}
    assert {one.sid for one in client.calls(OTHER_CALL).recordings.list()} == {other}
    assert found(date_created=noon.replace(hour=0)) == {on, other}
    assert found(date_created_after=noon) == {on, other, after}
    assert found(date_created_before=noon) == {before}
    assert found(date_created_before=noon + timedelta(seconds=1)) == {before, on, other}
    assert found(date_created_after=noon, date_created_before=noon + timedelta(hours=1), call_sid=CALL_SID) == {on}
    assert found(date_created=noon, date_created_after=noon + timedelta(seconds=1)) == set()
    with served.http() as http:
        said = http.get(f"{served.path}/Recordings.json?DateCreated>=2026-11-06").json()
        assert [one["sid"] for one in said["recordings"]] == [after]
        said = http.get(f"{served.path}/Recordings.json?DateCreated<=2026-11-05&DateCreated>=2026-11-04").json()
        assert [one["sid"] for one in said["recordings"]] == [before]


def test_delete_is_at_once_and_for_good(served: Served) -> None:
    sid, kept = recorded(), recorded()
    client = served.client()
    assert client.recordings(sid).delete() is True
    assert [one.sid for one in client.recordings.list()] == [kept]
    for act in (client.recordings(sid).fetch, client.recordings(sid).delete):
        with pytest.raises(TwilioRestException) as raised:
            act()
        assert (raised.value.status, raised.value.code) == (404, 20404)
    with served.http() as http:
        assert http.get(f"{served.path}/Recordings/{sid}").status_code == 404
    gone = row(sid)
    assert gone.purged_at is not None
    assert (gone.storage_key, gone.spool_host) == (None, None)
    noted = db.session.scalars(select(Audit).where(Audit.object_id == sid)).one()
    assert (noted.actor, noted.action) == (f"account {served.account.sid}", "recording.purge")


def test_the_same_by_its_call(served: Served) -> None:
    sid = recorded()
    client = served.client()
    assert client.calls(CALL_SID).recordings(sid).fetch().sid == sid
    with pytest.raises(TwilioRestException, match="not found"):
        client.calls(OTHER_CALL).recordings(sid).fetch()
    with pytest.raises(TwilioRestException):
        client.calls(OTHER_CALL).recordings(sid).delete()
    with pytest.raises(TwilioException, match="20404"):
        client.calls("CA" + "9" * 32).recordings.list()
    assert client.calls(CALL_SID).recordings(sid).delete() is True
    assert client.calls(CALL_SID).recordings.list() == []


# The audio.


@pytest.mark.parametrize("uploaded", [False, True])
def test_wav_at_the_recording_url_and_with_its_ending(served: Served, uploaded: bool) -> None:
    sid = recorded(uploaded=uploaded)
    media_url = served.client().recordings(sid).fetch().media_url
    with served.http() as http:
        for url in (media_url, f"{media_url}.wav"):
            answer = http.get(url)
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/wav")
            assert answer.content == audio(sid)
        head = http.head(media_url)
        assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(len(audio(sid))), b"")


def test_mp3(served: Served) -> None:
    sid = recorded(seconds=3.0)
    with served.http() as http:
        answer = http.get(f"{served.path}/Recordings/{sid}.mp3")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "audio/mpeg")
        assert soundfile.info(io.BytesIO(answer.content)).format == "MP3"
        assert soundfile.info(io.BytesIO(answer.content)).duration == pytest.approx(3.0, abs=0.2)
        saved = http.get(f"{served.path}/Recordings/{sid}.mp3?Download=true")
    assert saved.headers["Content-Disposition"] == f'attachment; filename="{sid}.mp3"'


def test_a_part_and_an_unchanged_recording(served: Served) -> None:
    sid = recorded()
    url, whole = f"{served.path}/Recordings/{sid}", audio(sid)
    with served.http() as http:
        part = http.get(url, headers={"Range": f"bytes={HEADER_SIZE}-{HEADER_SIZE + 99}"})
        assert (part.status_code, part.content) == (206, whole[HEADER_SIZE : HEADER_SIZE + 100])
        assert part.headers["Content-Range"] == f"bytes {HEADER_SIZE}-{HEADER_SIZE + 99}/{len(whole)}"
        tag = part.headers["ETag"]
        assert http.get(url, headers={"If-None-Match": tag}).status_code == 304
        assert http.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416


def test_on_its_way_from_another_host_it_is_503_and_says_when(served: Served) -> None:
    sid = recorded(uploaded=False, host="another-host")
    with served.http() as http:
        answer = http.get(f"{served.path}/Recordings/{sid}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert (answer.json()["code"], answer.json()["status"]) == (20503, 503)


def test_what_cannot_be_found_is_said_without_a_traceback(served: Served) -> None:
    sid = recorded(uploaded=False)
    wav_of(served.app.extensions["settings"], row(sid).take_id or "").unlink()
    with served.http() as http:
        answer = http.get(f"{served.path}/Recordings/{sid}.mp3")
    assert (answer.status_code, answer.json()["message"]) == (503, "The recording cannot be found at the moment.")


# Who may.


def test_whoever_does_not_know_the_token_hears_and_sees_nothing(served: Served) -> None:
    sid, account = recorded(), served.account
    paths = [f"/Recordings/{sid}{ending}" for ending in ("", ".json", ".wav", ".mp3")]
    paths += ["/Recordings.json", f"/Calls/{CALL_SID}/Recordings.json", f"/Recordings/{ELSEWHERE}.json"]
    wrong = [
        None,
        (account.sid, "wrong"),
        ("AC" + "0" * 32, account.token),
        ("", ""),
        (account.sid, account.token + "x"),
    ]
    for credentials in wrong:
        with served.http(credentials) as http:
            for path in paths:
                answer = http.get(served.path + path)
                assert answer.status_code == 401, (credentials, path)
                assert answer.headers["WWW-Authenticate"].startswith("Basic ")
                said = answer.json()
                assert (said["code"], said["status"]) == (20003, 401)
                assert said["more_info"] == "https://www.twilio.com/docs/errors/20003"
                assert account.token not in answer.text
            assert http.delete(f"{served.path}/Recordings/{sid}.json").status_code == 401
    assert row(sid).deleted_at is None
    with pytest.raises(TwilioRestException) as raised:
        served.client(token="wrong").recordings(sid).fetch()
    assert (raised.value.status, raised.value.code) == (401, 20003)


@pytest.mark.parametrize(
    "header",
    ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(), "Bearer x", "Basic " + "A" * 9000,
     "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()],
)  # fmt: skip
def test_credentials_that_are_none(served: Served, header: str) -> None:
    with served.http(None) as http:
        answer = http.get(f"{served.path}/Recordings.json", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, 20003)


def test_another_account_is_not_there(served: Served) -> None:
    sid = recorded()
    with served.http() as http:
        for other in ("AC" + "0" * 32, "ACnot-one", ".."):
            answer = http.get(f"/2010-04-01/Accounts/{other}/Recordings/{sid}.json")
            assert (answer.status_code, answer.json()["code"]) == (404, 20404), other


def test_an_administrator_who_is_logged_in_listens_and_does_nothing_else(
    served: Served, admin: Login, staff: Login
) -> None:
    sid = recorded()
    url, heard = f"{served.path}/Recordings/{sid}", audio(sid)

    def act() -> None:
        browser = Browser(served.app.test_client())
        assert browser.log_in(admin).status_code == 303
        assert browser.client.get(url).data == heard
        assert browser.client.get(f"{served.path}/Recordings.json").status_code == 200
        assert browser.client.delete(url).status_code == 401
        assert browser.client.get(f"{CONSOLE}/{sid}.wav").data == heard
        assert browser.client.get(f"{CONSOLE}/{ELSEWHERE}.wav").status_code == 404
        other = Browser(served.app.test_client())
        assert other.log_in(staff).status_code == 303
        assert other.client.get(url).status_code == 401
        assert other.client.get(f"{CONSOLE}/{sid}.wav").status_code == 403

    # In a thread without this test's context, so that each request has one of its own.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(act).result(30)
    assert row(sid).deleted_at is None


def test_a_stranger_is_sent_to_the_log_in_by_the_portal(served: Served, client: FlaskClient) -> None:
    assert client.get(f"{CONSOLE}/{recorded()}.wav").status_code == 302


def test_no_cookie_is_ever_set(served: Served) -> None:
    sid = recorded()
    with served.http() as http:
        answers = [http.get(f"{served.path}/Recordings.json"), http.get(f"{served.path}/Recordings/{sid}")]
        answers += [http.delete(f"{served.path}/Recordings/{sid}.json"), http.get(f"{served.path}/Recordings/{sid}")]
        # Not even where a session comes along.
        answers.append(http.get(f"{served.path}/Recordings.json", headers={"Cookie": "voicemail_session=x"}))
    assert [answer.headers.get("Set-Cookie") for answer in answers] == [None] * 5


# What is wrong gets a clear answer.


@pytest.mark.parametrize(
    "query",
    ["PageSize=0", "PageSize=many", "PageSize=-1", "Page=x", "Page=-1", "Page=99999999", "PageToken=PA1",
     "PageToken=XXRE" + "0" * 32, "PageToken=PA" + ELSEWHERE, "DateCreated=yesterday", "DateCreated<=2026-13-01",
     "DateCreated>=%F0%9F%98%80", "DateCreated=9999-12-31"],
)  # fmt: skip
def test_wrong_parameters_are_400_with_a_sentence(served: Served, query: str) -> None:
    with served.http() as http:
        answer = http.get(f"{served.path}/Recordings.json?{query}")
    assert (answer.status_code, answer.json()["code"], answer.json()["status"]) == (400, 20001, 400)
    assert answer.json()["message"].startswith(query.partition("=")[0])


def test_a_page_that_is_too_large_is_the_largest(served: Served) -> None:
    with served.http() as http:
        assert http.get(f"{served.path}/Recordings.json?PageSize=5000").json()["page_size"] == 1000


def test_an_empty_list(served: Served) -> None:
    with served.http() as http:
        said = http.get(f"{served.path}/Recordings.json").json()
    assert said["recordings"] == []
    assert (said["next_page_uri"], said["previous_page_uri"], said["start"], said["end"]) == (None, None, 0, 0)


def test_what_is_not_there_and_what_it_does_not_take(served: Served) -> None:
    sid = recorded()
    with served.http() as http:
        for path in (
            f"/Recordings/{ELSEWHERE}.json",
            f"/Recordings/{ELSEWHERE}",
            "/Recordings/RE1.json",
            "/Nothing.json",
        ):
            answer = http.get(served.path + path)
            assert (answer.status_code, answer.json()["code"]) == (404, 20404), path
            assert answer.json()["message"] == f"The requested resource {served.path}{path} was not found"
        for method, path in (
            ("POST", "/Recordings.json"),
            ("PUT", f"/Recordings/{sid}.json"),
            ("POST", f"/Recordings/{sid}"),
        ):
            answer = http.request(method, served.path + path)
            assert (answer.status_code, answer.json()["code"]) == (405, 20004), path
            assert "GET" in answer.headers["Allow"]


def test_too_often_is_429_and_says_when(served: Served) -> None:
    settings = served.app.extensions["settings"]
    limits = replace(settings.limits, api_requests="2 per minute")
    served.app.extensions["settings"] = replace(settings, limits=limits)
    with served.http() as http:
        answers = [http.get(f"{served.path}/Recordings.json") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == 20429
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
