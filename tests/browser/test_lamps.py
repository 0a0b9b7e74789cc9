"""The card of lamps in Chromium: it renews itself, and Resync reaches a real phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site
from tests.peers.instance import HOST, VoiceWorker
from tests.sip.peer import Peer
from tests.sip.subscriber import ACCEPT, Subscriber
from tests.support import until

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("javascript", [True, False], ids=["htmx", "plain"])
def test_a_phone_is_seen_and_told_anew(
    open_browser: Callable[..., Page], site: Site, voice: VoiceWorker, javascript: bool
) -> None:
    extension = site.mailbox()
    page = open_browser(javascript, width=1200 if javascript else 360)
    page.goto(f"/console/voicemail/{extension}")
    card = page.get_by_role("region", name="Lamps")
    expect(card.get_by_text("No device was told of this mailbox yet")).to_be_visible()
    peer = Peer((HOST, voice.port))
    phone = Subscriber(peer, uri=f"sip:{extension}@{HOST}:{voice.port}")
    assert phone.subscribe(ACCEPT).code == 200
    phone.told("0/0 (0/0)")
    told = card.get_by_text("0 new, 0 saved, sent today")
    if not javascript:
        expect(_again(page, told)).to_be_visible()
    expect(told).to_be_visible()
    expect(card.get_by_text(f"Phone sip:peer@127.0.0.1:{peer.port}")).to_be_visible()
    site.message(extension)
    phone.told("1/0 (0/0)")
    button = card.get_by_role("button", name="Send the counts anew")
    button.focus()
    page.keyboard.press("Enter")
    phone.told("1/0 (0/0)")
    expect(page.get_by_text(f"The counts of mailbox {extension} are sent anew")).to_be_visible()
    if javascript:
        expect(button).to_be_focused()
        expect(card.get_by_text("1 new, 0 saved, sent today")).to_be_visible()
    assert phone.subscribe(seconds=0).code == 200
    phone.notified()
    peer.close()


def _again(page: Page, wanted: object) -> object:
    """Load the page anew until it shows this, as a person without scripts does."""

    def shown() -> bool:
        page.reload()
        return wanted.is_visible()  # type: ignore[attr-defined,no-any-return]

    until(shown, 10, "the page shows it")
    return wanted
