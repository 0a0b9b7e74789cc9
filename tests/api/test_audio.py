"""Audio: whole and in parts, cached, as MP3, from the store and from the spool."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from flask import Flask
from werkzeug.test import TestResponse

from app.config import Settings
from app.extensions import db
from app.models import Message
from app.services import trimmed
from app.web.ranges import Part, Unsatisfiable, wanted_part
from tests.api.conftest import Program
from tests.conftest import Login
from tests.web.browser import Browser
from voice.media.g711 import Law
from voice.media.wav import header

Make = Callable[..., str]
ELSEWHERE = "another-host"


def url(message_id: str) -> str:
    return f"/api/voicemail/messages/{message_id}/audio"


@pytest.fixture
def message_id(program: Program, make_message: Make) -> str:
    return make_message()


@pytest.fixture
def whole(program: Program, message_id: str) -> bytes:
    """The bytes of the recording."""
    return program.get(url(message_id)).data


def ranged(program: Program, message_id: str, header: str, **headers: str) -> TestResponse:
    return program.get(url(message_id), headers={"Range": header, **headers})


def test_the_whole(program: Program, message_id: str) -> None:
    answer = program.get(url(message_id))
    assert (answer.status_code, answer.content_type) == (200, "audio/wav")
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    info = soundfile.info(io.BytesIO(answer.data))
    assert (info.samplerate, info.channels, info.subtype) == (8000, 1, "ULAW")


@pytest.mark.parametrize(
    "header", ["bytes=0-0", "bytes=0-99", "bytes=100-", "bytes=-5", "bytes=10-999999999", "bytes=-999999999"]
)
def test_a_part(program: Program, message_id: str, whole: bytes, header: str) -> None:
    first, _, last = header.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, len(whole) - int(last))
    end = min(int(last), len(whole) - 1) if first and last else len(whole) - 1
    answer = ranged(program, message_id, header)
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {start}-{end}/{len(whole)}"
    assert answer.data == whole[start : end + 1]
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_the_last_byte_and_the_one_after(program: Program, message_id: str, whole: bytes) -> None:
    assert ranged(program, message_id, f"bytes={len(whole) - 1}-").data == whole[-1:]
    beyond = ranged(program, message_id, f"bytes={len(whole)}-")
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(whole)}"
    assert beyond.data == b""


@pytest.mark.parametrize("header", ["bytes=99999999-", "bytes=99999999-999999999", "bytes=-0"])
def test_beyond_the_end(program: Program, message_id: str, header: str) -> None:
    assert ranged(program, message_id, header).status_code == 416


@pytest.mark.parametrize(
    "header",
    [
        "bytes=0-1,5-6",
        "bytes=5-1",
        "bytes=",
        "bytes=a-b",
        "bytes=--5",
        "bytes=1",
        "items=0-5",
        "0-5",
        "bytes=0-1,",
        "",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(1000)),
        "bytes=" + "9" * 5000 + "-",
        "bytes=0-" + "9" * 5000,
    ],
)
def test_what_is_no_single_range_gets_the_whole(program: Program, message_id: str, whole: bytes, header: str) -> None:
    answer = ranged(program, message_id, header)
    assert answer.status_code == 200
    assert answer.data == whole


def test_if_range(program: Program, message_id: str, whole: bytes) -> None:
    etag = program.get(url(message_id)).headers["ETag"]
    assert ranged(program, message_id, "bytes=0-3", **{"If-Range": etag}).status_code == 206
    for other in ('"other"', f"W/{etag}", "Mon, 23 Nov 2026 07:00:00 GMT", "nonsense"):
        answer = ranged(program, message_id, "bytes=0-3", **{"If-Range": other})
        assert (answer.status_code, answer.data) == (200, whole), other


def test_the_entity_tag_is_the_hash(app: Flask, program: Program, message_id: str) -> None:
    answer = program.get(url(message_id))
    with app.app_context():
        message = db.session.get(Message, message_id)
        assert message is not None
        assert answer.headers["ETag"] == f'"{message.sha256}"'
    again = program.get(url(message_id), headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == answer.headers["ETag"]
    assert "private" in answer.headers["Cache-Control"]


def test_head(program: Program, message_id: str, whole: bytes) -> None:
    answer = program.head(url(message_id), headers={"Range": "bytes=0-3"})
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) == len(whole)


def test_download_offers_a_name(app: Flask, program: Program, make_message: Make) -> None:
    one = make_message(caller_number='0"; filename="../evil\r\n.exe')
    assert program.get(url(one)).headers["Content-Disposition"].startswith("inline")
    offered = program.get(f"{url(one)}?download=1").headers["Content-Disposition"]
    assert offered.startswith('attachment; filename="voicemail-1001-20')
    assert offered.endswith('.wav"')
    assert offered.count('"') == 2
    assert "/" not in offered


def test_it_never_marks_as_read(app: Flask, program: Program, message_id: str) -> None:
    program.get(url(message_id))
    ranged(program, message_id, "bytes=0-")
    with app.app_context():
        message = db.session.get(Message, message_id)
        assert message is not None
        assert message.state == "new"


def test_the_session_of_the_portal_may_listen(app: Flask, message_id: str, whole: bytes, staff: Login) -> None:
    browser = Browser(app.test_client())
    browser.log_in(staff)
    assert browser.get(url(message_id)).data == whole


class TestMp3:
    """?format=mp3."""

    def test_it_is_one(self, program: Program, message_id: str) -> None:
        answer = program.get(f"{url(message_id)}?format=mp3&download=1")
        assert (answer.status_code, answer.content_type) == (200, "audio/mpeg")
        info = soundfile.info(io.BytesIO(answer.data))
        assert info.format == "MP3"
        assert info.duration == pytest.approx(2, abs=0.3)
        assert answer.headers["Content-Disposition"].endswith('.mp3"')
        assert answer.headers["ETag"] != program.get(url(message_id)).headers["ETag"]

    def test_parts_are_parts_of_the_whole(self, program: Program, message_id: str) -> None:
        all_of_it = program.get(f"{url(message_id)}?format=mp3").data
        part = program.get(f"{url(message_id)}?format=mp3", headers={"Range": "bytes=100-199"})
        assert part.status_code == 206
        assert part.data == all_of_it[100:200]

    def test_other_formats_there_are_none(self, program: Program, message_id: str) -> None:
        answer = program.get(f"{url(message_id)}?format=ogg")
        assert answer.status_code == 422
        assert answer.json is not None
        assert "format" in answer.json["error"]["fields"]


class TestBeforeTheUpload:
    """The recording is still in a spool."""

    def test_on_this_host_it_is_heard_at_once(self, program: Program, make_message: Make) -> None:
        answer = program.get(url(make_message(uploaded=False)))
        assert answer.status_code == 200
        assert answer.data.startswith(b"RIFF")

    def test_on_another_host_it_is_asked_for_again_later(self, program: Program, make_message: Make) -> None:
        answer = program.get(url(make_message(uploaded=False, host=ELSEWHERE)))
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.json is not None
        assert answer.json["error"]["code"] == "unavailable"

    def test_without_speech_it_is_heard_from_the_spool(self, program: Program, make_message: Make) -> None:
        assert program.get(url(make_message(discarded=True))).data.startswith(b"RIFF")


class TestStoreAway:
    """The store does not answer."""

    def test_503(self, app: Flask, program: Program, message_id: str, settings: Settings, tmp_path: Path) -> None:
        folder = tmp_path / "no-folder"
        folder.write_bytes(b"a file where the folder should be")
        app.extensions["settings"] = replace(settings, storage=replace(settings.storage, folder=folder))
        answer = program.get(url(message_id))
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0


class TestParts:
    """wanted_part() by itself."""

    @pytest.mark.parametrize(
        ("header", "size", "expected"),
        [
            ("bytes=0-0", 1, Part(0, 1, 1)), ("bytes=-1", 1, Part(0, 1, 1)), ("bytes=1-2", 10, Part(1, 3, 10)),
            (None, 10, None), ("bytes = 0-1", 10, None), ("BYTES=0-1", 10, Part(0, 2, 10)),
        ],
    )  # fmt: skip
    def test_found(self, header: str | None, size: int, expected: Part | None) -> None:
        assert wanted_part(header, size) == expected

    @pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-0", "bytes=-1"])
    def test_nothing_has_no_parts(self, header: str) -> None:
        with pytest.raises(Unsatisfiable):
            wanted_part(header, 0)


def test_the_whole_recording_is_there_as_long_as_it_is_kept(
    app: Flask, program: Program, narrow_program: Program, message_id: str, whole: bytes
) -> None:
    """With what was cut off its end; that is for nobody else either."""
    settings: Settings = app.extensions["settings"]
    assert program.get(f"{url(message_id)}?whole=1").status_code == 404
    path = trimmed.path_of(settings, message_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header(Law.PCMU, 1600) + b"\xff" * 1600)
    answer = program.get(f"{url(message_id)}?whole=1")
    assert (answer.status_code, len(answer.data)) == (200, len(whole) + 1600)
    assert answer.data[58:] == whole[58:] + b"\xff" * 1600
    assert soundfile.info(io.BytesIO(answer.data)).frames == len(answer.data) - 58
    part = program.get(f"{url(message_id)}?whole=1", headers={"Range": f"bytes={len(whole)}-"})
    assert (part.status_code, part.data) == (206, b"\xff" * 1600)
    assert narrow_program.get(f"{url(message_id)}?whole=1").status_code == 404
    assert program.get(f"{url(message_id)}?whole=1&format=mp3").status_code == 200
