"""Numbers in Chromium: made by keyboard alone, in a narrow window, with scripts and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("javascript", [True, False])
def test_a_number_by_keyboard(open_browser: Callable[..., Page], site: Site, javascript: bool) -> None:
    number = f"555{int(javascript)}"
    page = open_browser(javascript=javascript, width=380)
    page.goto("/console/voicemail/numbers/new")
    page.get_by_label("Number", exact=True).focus()
    page.keyboard.type(number)
    page.keyboard.press("Tab")
    page.keyboard.type("no url")
    page.keyboard.press("Enter")
    field = page.get_by_label("Voice URL")
    expect(page.get_by_text("This is not an http or https address")).to_be_visible()
    expect(field).to_be_focused()
    expect(field).to_have_value("no url")
    page.keyboard.press("Control+A")
    page.keyboard.type("http://10.1.2.3/voice")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=number)).to_be_visible()
    expect(page.get_by_text("10.1.2.3 is a private address")).to_be_visible()
    page.get_by_role("link", name="Delete…").focus()
    page.keyboard.press("Enter")
    button = page.get_by_role("button", name="Delete")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{number}: documents no longer answer")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") if javascript else True
