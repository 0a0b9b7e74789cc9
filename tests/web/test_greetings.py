"""The greeting of a mailbox in the portal: upload, listen, remove."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from flask import Flask

from app.config import Settings
from app.services import greetings
from tests.web.browser import HTMX, Browser

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
