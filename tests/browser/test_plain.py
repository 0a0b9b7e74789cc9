"""The portal without JavaScript, by keyboard, in narrow windows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ADMIN, Site
from tests.peers.instance import VoiceWorker
from tests.support import until

pytestmark = pytest.mark.browser
NARROW = 320


@pytest.fixture
def plain(open_browser: Callable[..., Page]) -> Page:
    """A page without JavaScript, logged in."""
    return open_browser(javascript=False)


def test_a_mailbox_from_its_making_to_its_end(plain: Page, site: Site, wav_file: Path) -> None:
    plain.goto("/console/voicemail/mailboxes/new")
    plain.get_by_label("Extension").fill("2888")
    plain.get_by_label("PIN").fill("2888")
    plain.get_by_label("Greeting").set_input_files(wav_file)
    plain.get_by_role("button", name="Make mailbox").click()
    expect(plain.get_by_text("must not be the extension")).to_be_visible()
    expect(plain.get_by_text("Choose the greeting again.")).to_be_visible()
    plain.get_by_label("PIN").fill("4711")
    plain.get_by_label("Greeting").set_input_files(wav_file)
    plain.get_by_role("button", name="Make mailbox").click()
    expect(plain.get_by_text("Your own")).to_be_visible()
    plain.get_by_role("link", name="Edit").click()
    plain.get_by_label("Name").fill("Büro 🦊")
    plain.get_by_role("button", name="Save").click()
    expect(plain.get_by_role("heading", name="Büro 🦊")).to_be_visible()
    plain.get_by_role("link", name="Delete…").click()
    plain.get_by_label("Extension").fill("2888")
    plain.get_by_role("button", name="Delete mailbox").click()
    plain.wait_for_url("**/console/voicemail")


def test_messages(plain: Page, site: Site) -> None:
    extension = site.mailbox()
    message_id = site.message(extension)
    plain.goto(f"/console/voicemail/{extension}")
    row = plain.locator(f"#message-{message_id}")
    row.get_by_role("button", name="Mark as read").click()
    row.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    plain.get_by_role("button", name="Undo").click()
    expect(row.get_by_role("button", name="Mark as new")).to_be_visible()
    address = row.locator("audio").get_attribute("src") or ""
    answer = plain.request.get(address)
    assert (answer.status, answer.headers["content-type"], answer.body()[:4]) == (200, "audio/wav", b"RIFF")
    with plain.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.endswith(".wav")


@pytest.mark.slow
def test_the_test_call(plain: Page, site: Site, voice: VoiceWorker) -> None:
    extension = site.mailbox()
    plain.goto(f"/console/voicemail/{extension}")
    plain.get_by_role("button", name="Place a test call").click()
    expect(plain.locator(".notice.done")).to_be_visible(timeout=60_000)


def test_by_keyboard_alone(open_browser: Callable[..., Page], site: Site) -> None:
    extension = site.mailbox()
    message_id = site.message(extension, seconds=10.0)
    page = open_browser(log_in=False)
    page.goto("/login")
    page.keyboard.type(ADMIN.name)
    page.keyboard.press("Tab")
    page.keyboard.type(ADMIN.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/voicemail")
    page.goto(f"/console/voicemail?search={extension}")

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            if page.evaluate("selector => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} cannot be reached by the Tab key")

    tab_to(f"a[href$='/{extension}']")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{extension}")
    tab_to("audio")
    page.keyboard.press("Space")
    playing = f"document.querySelector('#message-{message_id} audio').currentTime"
    until(lambda: page.evaluate(playing) > 0.3, what="the message plays")
    tab_to(f"#delete-{message_id}")
    page.keyboard.press("Enter")
    expect(page.locator(f"#message-{message_id}")).to_have_count(0)
    page.locator("#undo").wait_for()
    for _ in range(60):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.id === 'undo'"):
            break
    page.keyboard.press("Enter")
    expect(page.locator(f"#message-{message_id}")).to_be_visible()


def test_no_page_is_wider_than_a_narrow_window(open_browser: Callable[..., Page], site: Site) -> None:
    extension = site.mailbox()
    site.message(extension, caller_name="A name that is rather long for such a window, and then some")
    page = open_browser(width=NARROW)
    inside = f"/console/voicemail/mailboxes/{extension}"
    for address in (
        "/console/voicemail",
        f"/console/voicemail/{extension}",
        f"/console/voicemail/{extension}?view=trash",
        "/console/voicemail/mailboxes/new",
        f"{inside}/edit",
        f"{inside}/reset-pin",
        f"{inside}/delete",
        "/console/voicemail/deliveries",
        "/console/voicemail/settings",
        "/console/users",
        "/console/tokens",
        "/console/password",
        "/console/voicemail/99999",
    ):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW, address
