"""Prompts in the portal: look through them, listen, upload, back to the default."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
import redis
import soundfile
from flask import Flask

from app import create_app
from app.config import LANGUAGES, Settings
from app.services import prompts
from tests.services.sounds import encoded, tone
from tests.web.browser import HTMX, Browser, forms_of

LIST = "/console/voicemail/prompts"
PAGE = f"{LIST}/goodbye"
UPLOAD = f"{PAGE}/fr"
REMOVE = f"{UPLOAD}/remove"
AUDIO = f"{UPLOAD}/audio"


def file(format: str = "WAV") -> tuple[io.BytesIO, str]:
    return encoded(tone(1.5, 44_100), 44_100, "VORBIS" if format == "OGG" else "PCM_16", format), "../<b>.wav"


def seconds(audio: bytes) -> float:
    return round(float(soundfile.info(io.BytesIO(audio)).duration), 1)


@pytest.mark.parametrize("url", [LIST, PAGE, AUDIO])
def test_only_administrators_see_them(browser: Browser, stranger: Browser, url: str) -> None:
    assert browser.get(url).status_code == 403
    assert stranger.get(url).location == f"/login?next={url}"
    assert f'href="{LIST}"' not in browser.get("/console/voicemail").text


@pytest.mark.parametrize("url", [UPLOAD, REMOVE])
def test_only_administrators_change_them(app: Flask, browser: Browser, url: str) -> None:
    answer = browser.client.post(url, data={"csrf_token": browser.csrf_token(), "sound": file()})
    assert answer.status_code == 403
    with app.app_context():
        assert prompts.custom() == []


@pytest.mark.parametrize("format", ["WAV", "OGG"])
def test_uploaded_heard_downloaded_and_back_to_the_default(admin_browser: Browser, format: str) -> None:
    default = admin_browser.get(AUDIO).data
    answer = admin_browser.submit(PAGE, UPLOAD, {"sound": file(format)})
    assert (answer.status_code, answer.location) == (303, f"{PAGE}#prompt-fr")
    assert "Your own plays" in admin_browser.get(PAGE).text
    heard = admin_browser.get(AUDIO)
    assert (heard.content_type, seconds(heard.data)) == ("audio/wav", 1.5)
    assert heard.headers["Content-Disposition"] == 'inline; filename="goodbye-fr.wav"'
    assert admin_browser.get(f"{AUDIO}?download=1").headers["Content-Disposition"].startswith("attachment")
    assert admin_browser.get(AUDIO, headers={"Range": "bytes=0-3"}).data == b"RIFF"
    assert admin_browser.get(f"{AUDIO}?default=1").data == default
    assert admin_browser.submit(PAGE, REMOVE).status_code == 303
    assert admin_browser.get(AUDIO).data == default
    assert "Your own plays" not in admin_browser.get(PAGE).text


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7 a document", b"RIFF....WAVEfmt ", b"\0" * 5000])
def test_what_is_no_sound_is_refused_beside_its_field(app: Flask, admin_browser: Browser, content: bytes) -> None:
    answer = admin_browser.submit(PAGE, UPLOAD, {"sound": (io.BytesIO(content), "x.wav")})
    assert answer.status_code == 422
    assert answer.text.count("-error") > 0
    assert 'id="sound-fr-error"' in answer.text
    assert "<html" in answer.text
    with app.app_context():
        assert prompts.custom() == []


def test_no_file_is_told(admin_browser: Browser) -> None:
    assert "Choose a sound file" in admin_browser.submit(PAGE, UPLOAD).text


def test_htmx_gets_the_card(admin_browser: Browser) -> None:
    refused = admin_browser.submit(PAGE, UPLOAD, {"sound": (io.BytesIO(b"no"), "x.wav")}, headers=HTMX)
    assert refused.status_code == 422
    assert refused.text.lstrip().startswith('<section class="card" id="prompt-fr"')
    done = admin_browser.submit(PAGE, UPLOAD, {"sound": file()}, headers=HTMX)
    assert done.status_code == 200
    assert "Your own plays" in done.text
    assert "Callers hear the new prompt" in done.text
    assert "Callers hear" not in admin_browser.get(PAGE).text, "it is told once"


def test_without_a_token_nothing_is_changed(app: Flask, admin_browser: Browser) -> None:
    assert admin_browser.client.post(UPLOAD, data={"sound": file()}).status_code == 400
    with app.app_context():
        assert prompts.custom() == []


@pytest.mark.parametrize("path", ["nothing_of_ours", "nothing_of_ours/en/audio", "goodbye/de/audio", "..%2fgoodbye"])
def test_what_is_no_prompt_is_404(admin_browser: Browser, path: str) -> None:
    assert admin_browser.get(f"{LIST}/{path}").status_code == 404


def test_a_page_has_a_form_for_each_language_with_ids_of_its_own(admin_browser: Browser) -> None:
    page = admin_browser.get(PAGE)
    assert [form.action for form in forms_of(page) if form.action.startswith(PAGE)] == [
        f"{PAGE}/{language}" for language in LANGUAGES
    ]
    for language in LANGUAGES:
        assert page.text.count(f'id="sound-{language}"') == 1


class TestList:
    """GET …/prompts."""

    def test_the_text_of_the_chosen_language(self, admin_browser: Browser) -> None:
        assert "再见。" in admin_browser.get(f"{LIST}?language=zh&search=goodbye").text
        assert "Goodbye." in admin_browser.get(f"{LIST}?language=<b>&search=goodbye").text

    def test_htmx_gets_the_rows(self, admin_browser: Browser) -> None:
        answer = admin_browser.get(f"{LIST}?search=goodbye", headers=HTMX)
        assert "<html" not in answer.text
        assert f'href="{PAGE}#prompt-en"' in answer.text

    def test_pages_keep_what_was_chosen(self, admin_browser: Browser) -> None:
        answer = admin_browser.get(f"{LIST}?language=ja&search=o&page=999999999999")
        assert answer.status_code == 200
        assert admin_browser.get(f"{LIST}?page=x").status_code == 200

    def test_words_are_shown_as_text(self, admin_browser: Browser) -> None:
        answer = admin_browser.get(f"{LIST}?search=<script>alert(1)</script>")
        assert "<script>alert" not in answer.text
        assert "No prompt matches" in answer.text

    def test_those_of_ones_own(self, admin_browser: Browser) -> None:
        assert "No prompt of your own here" in admin_browser.get(f"{LIST}?show=custom").text
        admin_browser.submit(PAGE, UPLOAD, {"sound": file()})
        assert f'href="{PAGE}#prompt-fr"' in admin_browser.get(f"{LIST}?show=custom&language=fr").text

    def test_redis_that_is_away_is_told(self, admin_browser: Browser) -> None:
        assert "nobody knows whether voice workers miss a prompt" in admin_browser.get(LIST).text


class TestReports:
    """What voice workers complain of."""

    @pytest.fixture
    def app(self, app: Flask, settings: Settings, valkey: str) -> Flask:
        """With two workers that miss the same prompt."""
        state = {
            "host": "pbx",
            "sip_port": 5060,
            "prompts": [{"name": "goodbye", "language": "fr", "problem": "missing"}],
        }
        with redis.Redis.from_url(valkey) as client:
            client.set("voicemail:worker:pbx:5060", json.dumps(state))
            client.set("voicemail:worker:pbx:5062", json.dumps(state | {"sip_port": 5062}))
        return create_app(replace(settings, redis_url=valkey))

    def test_they_are_shown(self, admin_browser: Browser) -> None:
        assert "Voice workers complain of 1 prompt:" in admin_browser.get(LIST).text
        for worker in ("pbx:5060", "pbx:5062"):
            assert f"Voice worker {worker} has no sound for it" in admin_browser.get(PAGE).text
        assert f'href="{PAGE}#prompt-fr"' in admin_browser.get(f"{LIST}?show=faulty&language=fr").text
