"""The preview of a mailbox's mails, in Chromium: the mail's own styles show, under a policy that lets it do nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("javascript", [True, False])
def test_the_preview_of_a_mail(open_browser: Callable[..., Page], site: Site, javascript: bool) -> None:
    extension = site.mailbox()
    page = open_browser(javascript=javascript, width=400)
    page.goto(f"/console/voicemail/{extension}")
    page.get_by_role("link", name="Preview").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="New message")).to_be_visible()
    button = frame.get_by_role("link", name="Listen in the portal")
    expect(button).to_have_css("background-color", "rgb(27, 94, 156)")
    page.get_by_role("link", name="PIN changed").click()
    expect(frame.get_by_role("link", name="Open the portal")).to_be_visible()
    expect(page.get_by_text("No mail server is set")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") if javascript else True


def test_the_link_of_a_mail_leads_to_the_message(page: Page, site: Site) -> None:
    extension = site.mailbox()
    message_id = site.message(extension)
    page.goto(f"/console/voicemail/messages/{message_id}")
    page.wait_for_url(f"**/console/voicemail/{extension}#message-{message_id}")
    expect(page.locator(f"#message-{message_id}")).to_be_in_viewport()


def test_what_is_wrong_with_an_address_stands_beside_it(page: Page, site: Site) -> None:
    extension = site.mailbox()
    page.goto(f"/console/voicemail/mailboxes/{extension}/edit")
    page.get_by_label("E-mail addresses").fill("anna@example.com, bert")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("“bert” is not an e-mail address")).to_be_visible()
    page.get_by_label("E-mail addresses").fill("anna@example.com; bert@example.com")
    page.get_by_role("button", name="Save changes").click()
    page.wait_for_url(f"**/console/voicemail/{extension}")
    expect(page.get_by_text("anna@example.com, bert@example.com")).to_be_visible()
