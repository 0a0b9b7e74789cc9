"""The button that tests the store: for administrators, with a token, and without scripts as well."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from app.config import StorageSettings
from tests.support import free_port
from tests.web.browser import HTMX, Browser

SETTINGS = "/console/voicemail/settings"
TEST = f"{SETTINGS}/test-storage"


def test_the_page_says_that_it_works(admin_browser: Browser) -> None:
    assert "written, read and deleted" not in admin_browser.get(SETTINGS).text
    answer = admin_browser.submit(SETTINGS, TEST)
    assert answer.status_code == 200
    assert "local: written, read and deleted." in answer.text
    assert "<h1>Settings</h1>" in answer.text


def test_a_part_of_the_page_is_enough_for_htmx(admin_browser: Browser) -> None:
    token = admin_browser.csrf_token()
    answer = admin_browser.client.post(TEST, data={"csrf_token": token}, headers=HTMX)
    assert "local: written, read and deleted." in answer.text
    assert "<h1>" not in answer.text
    assert f'hx-post="{TEST}"' in answer.text


def test_which_step_failed_and_what_to_do(app: Flask, admin_browser: Browser) -> None:
    settings = app.extensions["settings"]
    away = StorageSettings(
        type="s3", bucket="b", endpoint=f"http://127.0.0.1:{free_port()}", access_key="AKIA", secret_key="hush hush"
    )
    app.extensions["settings"] = replace(settings, storage=away)
    answer = admin_browser.submit(SETTINGS, TEST)
    assert answer.status_code == 200
    assert "the step &#39;write&#39; failed: the store does not answer. Look whether it runs" in answer.text
    assert "hush" not in answer.text
    assert "AKIA" not in answer.text


def test_staff_may_not(browser: Browser) -> None:
    answer = browser.client.post(TEST, data={"csrf_token": browser.csrf_token()})
    assert answer.status_code == 403


def test_no_test_without_a_token(admin_browser: Browser) -> None:
    assert admin_browser.client.post(TEST).status_code == 400


def test_strangers_are_sent_to_the_log_in(stranger: Browser) -> None:
    assert stranger.client.post(TEST).status_code in (302, 303)
