"""Prompts in a real browser: found, heard, replaced, and back to the default; with JavaScript and without."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from playwright.sync_api import Page, expect

from tests.services.sounds import encoded, tone
from tests.support import until

pytestmark = pytest.mark.browser
PROMPT = "/console/voicemail/prompts/goodbye"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """Two seconds to upload."""
    path = tmp_path / "own.ogg"
    path.write_bytes(encoded(tone(2.0, 44_100), 44_100, "VORBIS", "OGG").getvalue())
    return path


def seconds(page: Page, address: str) -> float:
    return round(float(soundfile.info(io.BytesIO(page.request.get(address).body())).duration), 1)


def test_a_prompt_is_found_by_its_words_and_heard(page: Page) -> None:
    page.goto("/console/voicemail")
    page.get_by_role("link", name="Prompts").click()
    page.get_by_label("Language").select_option("es")
    page.get_by_label("Search prompts").fill("Adiós.")
    link = page.get_by_role("link", name="goodbye", exact=True)
    page.wait_for_url("**/prompts?search=Adi*language=es*")
    expect(page.get_by_text("Adiós.", exact=True)).to_be_visible()
    row = page.locator("li.message", has=link)
    row.locator("audio").evaluate("player => player.play()")
    until(lambda: row.locator("audio").evaluate("player => player.currentTime") > 0.1, what="it plays")
    link.click()
    page.wait_for_url(f"**{PROMPT}#prompt-es")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_prompt_is_replaced_and_comes_back(
    open_browser: Callable[..., Page], sound: Path, tmp_path: Path, javascript: bool
) -> None:
    page = open_browser(javascript=javascript)
    page.goto(PROMPT)
    card = page.locator("#prompt-fr")
    default = seconds(page, f"{PROMPT}/fr/audio")
    nonsense = tmp_path / "own.wav"
    nonsense.write_bytes(b"%PDF-1.7 " + bytes(2000))
    card.get_by_text("Upload your own").click()
    card.locator("input[type=file]").set_input_files(nonsense)
    card.get_by_role("button", name="Upload").click()
    expect(card.get_by_text("This is not an audio file")).to_be_visible()
    card.locator("input[type=file]").set_input_files(sound)
    card.get_by_role("button", name="Upload").click()
    expect(card.get_by_text("Your own plays")).to_be_visible()
    expect(page.get_by_text("Callers hear the new prompt in Français")).to_be_visible()
    if javascript:
        expect(card.get_by_role("heading")).to_be_focused()
    assert seconds(page, f"{PROMPT}/fr/audio") == 2.0
    assert default != 2.0
    card.get_by_role("button", name="Back to the default").click()
    expect(card.get_by_text("Your own plays")).to_have_count(0)
    assert seconds(page, f"{PROMPT}/fr/audio") == default


@pytest.mark.parametrize("path", ["/console/voicemail/prompts", PROMPT])
def test_a_narrow_window_does_not_scroll_sideways(open_browser: Callable[..., Page], path: str) -> None:
    page = open_browser(width=320)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
