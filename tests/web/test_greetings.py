"""The greeting of a mailbox in the portal: upload, listen, remove."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile
from flask import Flask
from werkzeug.test import TestResponse

from app.config import Settings
from app.extensions import db
from app.services import greetings, mailboxes
from tests.web.browser import HTMX, Browser, forms_of

BOX = "/console/voicemail/1001"
UPLOAD = "/console/voicemail/mailboxes/1001/greeting"
REMOVE = f"{UPLOAD}/remove"
AUDIO = f"{BOX}/greeting/audio"


def sound(format: str, rate: int = 44100, seconds: float = 1.0) -> bytes:
    """A tone as a file of a kind."""
    times = np.arange(int(rate * seconds)) / rate
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.3 * np.sin(2 * np.pi * 440 * times), rate, format=format)
    return buffer.getvalue()


def has_greeting(app: Flask) -> bool:
    with app.app_context():
        return greetings.find("1001") is not None


@pytest.mark.parametrize("format", ["WAV", "MP3", "OGG", "FLAC"])
def test_any_sound_file_is_taken_and_can_be_heard(app: Flask, browser: Browser, mailbox: str, format: str) -> None:
    answer = browser.submit(BOX, UPLOAD, {"greeting": (io.BytesIO(sound(format)), f"hello.{format.lower()}")})
    assert (answer.status_code, answer.location) == (303, BOX)
    heard = browser.get(AUDIO)
    assert (heard.status_code, heard.content_type) == (200, "audio/wav")
    assert soundfile.info(io.BytesIO(heard.data)).samplerate == 8000
    assert browser.get(AUDIO, headers={"Range": "bytes=0-3"}).data == b"RIFF"


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7 a document", b"RIFF....WAVEfmt ", b"\0" * 5000])
def test_what_is_no_sound_is_refused_beside_the_field(
    app: Flask, browser: Browser, mailbox: str, content: bytes
) -> None:
    answer = browser.submit(BOX, UPLOAD, {"greeting": (io.BytesIO(content), "hello.wav")})
    assert answer.status_code == 422
    assert 'id="greeting-error"' in answer.text
    assert "<html" in answer.text
    assert not has_greeting(app)


def test_no_file_is_told(browser: Browser, mailbox: str) -> None:
    assert "Choose a sound file" in browser.submit(BOX, UPLOAD).text


def test_htmx_gets_the_card_with_the_error(browser: Browser, mailbox: str) -> None:
    answer = browser.submit(BOX, UPLOAD, {"greeting": (io.BytesIO(b"no"), "x.wav")}, headers=HTMX)
    assert answer.status_code == 422
    assert answer.text.lstrip().startswith("<section")


def test_removed_the_default_plays(app: Flask, browser: Browser, mailbox: str) -> None:
    browser.submit(BOX, UPLOAD, {"greeting": (io.BytesIO(sound("WAV")), "x.wav")})
    assert has_greeting(app)
    assert browser.submit(BOX, REMOVE).location == BOX
    assert not has_greeting(app)
    assert "Callers hear the default greeting" in browser.get(BOX).text
    assert browser.get(AUDIO).status_code == 404


def test_the_file_name_is_never_used(app: Flask, browser: Browser, mailbox: str) -> None:
    file = (io.BytesIO(sound("WAV")), "../../../tmp/<script>.wav")
    browser.submit(BOX, UPLOAD, {"greeting": file})
    assert "script>.wav" not in browser.get(BOX).text
    assert browser.get(AUDIO).headers["Content-Disposition"] == 'inline; filename="greeting-1001.wav"'


class TestKinds:
    """Greetings for other occasions beside that for when nobody answers."""

    def upload(self, browser: Browser, kind: str, **data: object) -> TestResponse:
        forms = [form for form in forms_of(browser.get(BOX)) if form.action == UPLOAD]
        form = next(form for form in forms if form.values.get("kind", "unavailable") == kind)
        file = {"greeting": (io.BytesIO(sound("WAV")), "x.wav")}
        return browser.client.post(
            UPLOAD, data={**form.values, **file, **data}, content_type="multipart/form-data", follow_redirects=False
        )

    def kinds(self, app: Flask) -> dict[str, datetime | None]:
        with app.app_context():
            return {greeting.kind: greeting.ends_at for greeting in mailboxes.get("1001").greetings}

    @pytest.mark.parametrize("kind", ["busy", "temporary", "name"])
    def test_uploaded_heard_and_removed(self, app: Flask, browser: Browser, mailbox: str, kind: str) -> None:
        assert self.upload(browser, kind).status_code == 303
        assert self.kinds(app) == {kind: None}
        heard = browser.get(f"{AUDIO}?kind={kind}")
        assert (heard.status_code, heard.content_type) == (200, "audio/wav")
        assert heard.headers["Content-Disposition"] == f'inline; filename="greeting-1001-{kind}.wav"'
        assert browser.get(AUDIO).status_code == 404
        answer = browser.client.post(REMOVE, data={"kind": kind, "csrf_token": browser.csrf_token()})
        assert answer.location == BOX
        assert self.kinds(app) == {}

    def test_each_has_a_form_with_ids_of_its_own(self, browser: Browser, mailbox: str) -> None:
        text = browser.get(BOX).text
        for field in ("greeting", "greeting-busy", "greeting-temporary", "greeting-name", "ends_at"):
            assert text.count(f'id="{field}"') == 1

    def test_a_temporary_one_ends_at_a_time_of_the_mailbox(self, app: Flask, browser: Browser, mailbox: str) -> None:
        with app.app_context():
            mailboxes.update("1001", name="", email="", language="en", timezone="Asia/Tokyo", actor="test")
        assert self.upload(browser, "temporary", ends_at="2100-12-24T18:00").status_code == 303
        assert self.kinds(app) == {"temporary": datetime(2100, 12, 24, 9, 0, tzinfo=UTC)}
        assert "in place of all others until Fri 24 Dec 2100 18:00." in browser.get(BOX).text

    def test_its_end_is_changed_without_a_file(self, app: Flask, browser: Browser, mailbox: str) -> None:
        def save(ends_at: str) -> int:
            return self.upload(browser, "temporary", greeting=(io.BytesIO(), ""), ends_at=ends_at).status_code

        assert save("2100-12-24T18:00") == 422, "there is none yet"
        self.upload(browser, "temporary", ends_at="2100-12-24T18:00")
        assert 'value="2100-12-24T18:00"' in browser.get(BOX).text
        heard = browser.get(f"{AUDIO}?kind=temporary").data
        assert save("2101-01-02T09:30") == 303
        assert self.kinds(app) == {"temporary": datetime(2101, 1, 2, 9, 30, tzinfo=UTC)}
        assert save("2020-01-01T00:00") == 422
        assert save("") == 303
        assert self.kinds(app) == {"temporary": None}
        assert browser.get(f"{AUDIO}?kind=temporary").data == heard

    def test_one_that_has_ended_is_said_to(self, app: Flask, browser: Browser, mailbox: str) -> None:
        self.upload(browser, "temporary", ends_at="2100-01-01T00:00")
        with app.app_context():
            [greeting] = mailboxes.get("1001").greetings
            greeting.ends_at = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
            db.session.commit()
        assert "Ended Fri 2 Jan 2026 12:00. The others play." in browser.get(BOX).text

    @pytest.mark.parametrize(
        ("ends_at", "sentence"),
        [
            ("2020-01-01T00:00", "in the past"),
            ("tomorrow", "Type a day and a time"),
            ("9999-12-31T23:59-12:00", "Type a day and a time"),
            ("0001-01-01T00:00+14:00", "Type a day and a time"),
        ],
    )
    def test_a_wrong_end_is_told_beside_its_field(
        self, app: Flask, browser: Browser, mailbox: str, ends_at: str, sentence: str
    ) -> None:
        answer = self.upload(browser, "temporary", ends_at=ends_at)
        assert answer.status_code == 422
        error = re.search(r'id="ends_at-error">([^<]+)<', answer.text)
        assert error
        assert sentence in error[1]
        assert self.kinds(app) == {}

    def test_a_file_that_went_with_a_wrong_end_is_asked_for_again(self, browser: Browser, mailbox: str) -> None:
        """Sent again without it, only the end of the greeting that is there would change."""
        again = 'id="greeting-temporary-error">Choose the sound file again.<'
        assert again in self.upload(browser, "temporary", ends_at="tomorrow").text
        self.upload(browser, "temporary", ends_at="2100-12-24T18:00")
        no_file = self.upload(browser, "temporary", greeting=(io.BytesIO(), ""), ends_at="tomorrow")
        assert "Type a day and a time" in no_file.text
        assert again not in no_file.text

    def test_no_sound_is_told_in_its_own_form(self, browser: Browser, mailbox: str) -> None:
        answer = self.upload(browser, "busy", greeting=(io.BytesIO(b"no"), "x.wav"))
        assert answer.status_code == 422
        assert 'id="greeting-busy-error"' in answer.text
        assert 'id="greeting-error"' not in answer.text

    @pytest.mark.parametrize("kind", ["loud", "../name"])
    def test_a_kind_that_is_none(self, app: Flask, browser: Browser, mailbox: str, kind: str) -> None:
        data = {"kind": kind, "csrf_token": browser.csrf_token()}
        for url in (UPLOAD, REMOVE):
            assert browser.client.post(url, data=data).status_code == 404
        assert browser.get(AUDIO, query_string={"kind": kind}).status_code == 404

    def test_what_callers_hear_in_place_of_a_greeting_that_is_missing(self, browser: Browser, mailbox: str) -> None:
        assert browser.get(BOX).text.count("Callers hear the default greeting in English.") == 2
        self.upload(browser, "name")
        assert browser.get(BOX).text.count("Callers hear the recorded name with a standard sentence.") == 2
        self.upload(browser, "unavailable")
        assert "Callers hear the greeting for when nobody answers." in browser.get(BOX).text


class TestLimit:
    """limits.upload_bytes."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, limits=replace(settings.limits, upload_bytes=100_000))

    def test_a_file_that_is_too_large_is_413(self, app: Flask, browser: Browser, mailbox: str) -> None:
        answer = browser.submit(BOX, UPLOAD, {"greeting": (io.BytesIO(bytes(400_000)), "x.wav")})
        assert answer.status_code == 413
        assert "Choose a smaller one" in answer.text
        assert not has_greeting(app)
