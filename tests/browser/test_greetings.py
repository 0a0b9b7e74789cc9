"""Kinds of greetings, and the lock of telephone access, in a real browser; with JavaScript and without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.services import phone_access
from tests.browser.conftest import Site

pytestmark = pytest.mark.browser
JAVASCRIPT = pytest.mark.parametrize("javascript", [True, False])


@JAVASCRIPT
def test_a_temporary_greeting_until_a_day(
    open_browser: Callable[..., Page], site: Site, wav_file: Path, javascript: bool
) -> None:
    page = open_browser(javascript=javascript)
    page.goto(f"/console/voicemail/{site.mailbox()}")
    card = page.locator("#kind-temporary")
    card.locator("summary").click()
    card.get_by_label("Sound file").set_input_files(wav_file)
    card.get_by_label("Until").fill("2020-01-01T08:00")
    card.get_by_role("button", name="Upload").click()
    expect(card.get_by_text("This is in the past")).to_be_visible()
    card.get_by_label("Sound file").set_input_files(wav_file)
    card.get_by_label("Until").fill("2100-12-24T18:00")
    card.get_by_role("button", name="Upload").click()
    expect(card.get_by_text("in place of all others until Fri 24 Dec 2100 18:00")).to_be_visible()
    expect(page.get_by_text("the temporary greeting was changed")).to_be_visible()
    card.locator("summary").click()
    card.get_by_role("button", name="Remove the greeting").click()
    expect(card.locator("audio")).to_have_count(0)


@JAVASCRIPT
def test_a_lock_is_ended(open_browser: Callable[..., Page], site: Site, javascript: bool) -> None:
    extension = site.mailbox()
    with site.instance.app.app_context():
        for _ in range(phone_access.FAILURES):
            phone_access.log_in(extension, "902817", "test")
    page = open_browser(javascript=javascript)
    page.goto("/console/voicemail")
    row = page.locator("tr", has=page.get_by_role("link", name=extension, exact=True))
    expect(row.get_by_text("Locked")).to_be_visible()
    row.get_by_role("link").click()
    expect(page.get_by_text("Telephone access is locked until today")).to_be_visible()
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_text("may log in by phone again")).to_be_visible()
    expect(page.locator("#lock")).to_have_count(0)


def test_options_by_keyboard_in_a_narrow_window(open_browser: Callable[..., Page], site: Site) -> None:
    page = open_browser(width=320)
    extension = site.mailbox()
    page.goto(f"/console/voicemail/mailboxes/{extension}/edit")
    page.get_by_label("Other numbers").focus()
    page.keyboard.type("26001")
    page.get_by_label("Announcement only").focus()
    page.keyboard.press("Space")
    page.get_by_label("Most messages").focus()
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    expect(page.locator("#max_messages-error")).to_be_visible()
    expect(page.get_by_label("Most messages")).to_be_focused()
    page.get_by_label("Most messages").fill("20")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/console/voicemail/{extension}")
    expect(page.get_by_text("0 of 20 messages")).to_be_visible()
    expect(page.get_by_text("not taken: announcement only")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
