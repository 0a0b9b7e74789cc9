"""A call that is in progress shows itself in a browser, and goes when it is over."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.peers.instance import VoiceWorker
from tests.peers.speech import speech
from voice.caller import Caller

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGE = "/console/voicemail/calls"
NAME = "<b>Carla</b> & Co"


@pytest.mark.parametrize("javascript", [True, False])
def test_a_call_appears_and_goes_by_itself(
    site: Site, voice: VoiceWorker, open_browser: Callable[..., Page], javascript: bool
) -> None:
    extension = site.mailbox()
    page = open_browser(javascript=javascript, width=390 if javascript else 1200)
    page.goto(PAGE)
    expect(page.get_by_text("No calls at the moment")).to_be_visible()
    over = threading.Event()

    def talk() -> None:
        with Caller(voice.host, voice.port, number="0301234567", name=NAME) as caller:
            caller.dial(extension)
            while not over.is_set():
                caller.speak(speech(0.5, seed=71))
            caller.hang_up()

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        row = page.locator("#calls > li")
        # Without scripts the page asks again by itself too.
        expect(row.get_by_text("Leaves a message")).to_be_visible(timeout=30_000)
        expect(row).to_contain_text("0301234567")
        expect(row).to_contain_text(NAME)
        expect(row.get_by_role("link", name=extension)).to_be_visible()
        expect(page.locator("#workers")).to_contain_text(f"{voice.port}")
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width == 0
    finally:
        over.set()
        talking.join()
    expect(page.get_by_text("No calls at the moment")).to_be_visible(timeout=30_000)
