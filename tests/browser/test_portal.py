"""What staff do in the portal, in Chromium."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import ADMIN, Site, enter
from tests.conftest import leave_message
from tests.peers.instance import VoiceWorker
from tests.support import until

pytestmark = pytest.mark.browser


def seconds(page: Page, message_id: str) -> float:
    """How far the player of a message is."""
    return float(page.evaluate(f"document.querySelector('#message-{message_id} audio').currentTime"))


def play(page: Page, message_id: str) -> None:
    page.evaluate(f"document.querySelector('#message-{message_id} audio').play()")


def test_logging_in(open_browser: Callable[..., Page], site: Site) -> None:
    extension = site.mailbox()
    page = open_browser(log_in=False)
    page.goto(f"/console/voicemail/{extension}")
    expect(page).to_have_title("Log in · Voicemail Pro")
    page.get_by_label("User name").fill(ADMIN.name)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("is wrong")).to_be_visible()
    page.get_by_label("Password").fill(ADMIN.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**/console/voicemail/{extension}")
    page.get_by_role("button", name="Log out").click()
    page.goto("/console/voicemail")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_a_new_mailbox_and_its_first_hint(page: Page) -> None:
    page.goto("/console/voicemail")
    page.get_by_role("link", name="New mailbox").first.click()
    page.get_by_label("Extension").fill("2999")
    page.get_by_label("Name").fill("<script>alert(1)</script>")
    page.get_by_label("PIN").fill("1234")
    page.get_by_role("button", name="Make mailbox").click()
    expect(page.get_by_text("must not count up or down")).to_be_visible()
    expect(page.get_by_label("PIN")).to_be_focused()
    page.get_by_label("PIN").fill("4711")
    page.get_by_role("button", name="Make mailbox").click()
    page.wait_for_url("**/console/voicemail/2999")
    expect(page.get_by_role("heading", name="<script>alert(1)</script>")).to_be_visible()
    expect(page.get_by_text("No messages yet")).to_be_visible()


def test_a_greeting_stays_chosen_while_another_field_is_mended(page: Page, wav_file: Path) -> None:
    page.goto("/console/voicemail/mailboxes/new")
    page.get_by_label("Extension").fill("2998")
    page.get_by_label("E-mail addresses").fill("anna")
    page.get_by_label("PIN").fill("4711")
    page.get_by_label("Greeting").set_input_files(wav_file)
    page.get_by_role("button", name="Make mailbox").click()
    expect(page.get_by_text("This is not an e-mail address")).to_be_visible()
    expect(page.get_by_label("E-mail addresses")).to_be_focused()
    expect(page.get_by_text("Choose the greeting again.")).to_have_count(0)
    page.get_by_label("E-mail addresses").fill("anna@example.com")
    page.get_by_label("PIN").fill("4711")
    page.get_by_role("button", name="Make mailbox").click()
    page.wait_for_url("**/console/voicemail/2998")
    expect(page.locator("#kind-unavailable").get_by_text("Your own plays.")).to_be_visible()


def test_a_message_plays_and_can_be_sought(page: Page, site: Site) -> None:
    extension = site.mailbox()
    message_id = site.message(extension, seconds=20.0)
    page.goto(f"/console/voicemail/{extension}")
    with page.expect_response(lambda answer: answer.url.endswith("/audio") and answer.status == 206):
        play(page, message_id)
    until(lambda: seconds(page, message_id) > 0.5, what="the message plays")
    page.evaluate(f"document.querySelector('#message-{message_id} audio').currentTime = 15")
    until(lambda: seconds(page, message_id) > 15.3, what="it plays on from there")
    expect(page.locator(f"#message-{message_id} .badge.new")).to_be_visible()


def test_read_delete_undo(page: Page, site: Site) -> None:
    extension = site.mailbox()
    message_id = site.message(extension)
    page.goto(f"/console/voicemail/{extension}")
    row = page.locator(f"#message-{message_id}")
    row.get_by_role("button", name="Mark as read").click()
    expect(row.get_by_role("button", name="Mark as new")).to_be_visible()
    expect(page.get_by_text("0 new, 1 saved")).to_be_visible()
    row.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()
    expect(page.get_by_text("is back")).to_be_visible()
    # The button is gone: people of the keyboard go on from the list.
    expect(page.locator("#messages")).to_be_focused()


def test_a_new_message_appears_while_another_one_plays(page: Page, site: Site) -> None:
    extension = site.mailbox()
    first = site.message(extension, seconds=30.0)
    page.goto(f"/console/voicemail/{extension}")
    play(page, first)
    until(lambda: seconds(page, first) > 0.3, what="the message plays")
    page.locator(f"#first-{first}").focus()
    second = site.message(extension, caller_name="Dora <b>Late</b>")
    expect(page.locator(f"#message-{second}")).to_be_visible()
    expect(page.get_by_text("Dora <b>Late</b>")).to_be_visible()
    before = seconds(page, first)
    until(lambda: seconds(page, first) > before + 0.5, what="the first one plays on")
    expect(page.locator(f"#first-{first}")).to_be_focused()


@pytest.mark.parametrize("javascript", [True, False])
def test_two_who_edit_a_mailbox(open_browser: Callable[..., Page], site: Site, javascript: bool) -> None:
    extension = site.mailbox()
    mine, other = open_browser(javascript=javascript), open_browser()
    for page, name in ((mine, "Mine"), (other, "Theirs")):
        page.goto(f"/console/voicemail/mailboxes/{extension}/edit")
        page.get_by_label("Name").fill(name)
    other.get_by_role("button", name="Save changes").click()
    expect(other.get_by_role("heading", name="Theirs")).to_be_visible()
    mine.get_by_role("button", name="Save changes").click()
    refusal = mine.get_by_role("alert")
    expect(refusal).to_contain_text("This mailbox has changed since you opened it.")
    expect(refusal).to_be_focused()
    expect(mine.get_by_label("Name")).to_have_value("Mine")
    refusal.get_by_role("link").click()
    expect(mine.get_by_label("Name")).to_have_value("Theirs")
    mine.get_by_label("Name").fill("Mine")
    other.goto(f"/console/voicemail/mailboxes/{extension}/edit")
    other.get_by_label("Name").fill("Theirs again")
    other.get_by_role("button", name="Save changes").click()
    expect(other.get_by_role("heading", name="Theirs again")).to_be_visible()
    mine.get_by_role("button", name="Save changes").click()
    expect(refusal).to_be_visible()
    mine.get_by_role("button", name="Save changes").click()
    expect(mine.get_by_role("heading", name="Mine")).to_be_visible()


def test_the_link_to_older_messages_keeps_the_focus(page: Page, site: Site) -> None:
    extension = site.mailbox()
    with site.instance.app.app_context():
        for _ in range(51):
            leave_message(site.instance.app, extension, uploaded=False, seconds=0.1)
    page.goto(f"/console/voicemail/{extension}")
    page.get_by_role("link", name="Older messages").focus()
    late = site.message(extension)
    expect(page.locator(f"#message-{late}")).to_be_visible()
    expect(page.get_by_role("link", name="Older messages")).to_be_focused()


def test_the_link_to_the_next_mailboxes_keeps_the_focus(page: Page, site: Site) -> None:
    # Behind those of other tests in the list.
    extensions = [site.mailbox(f"9900{number}") for number in range(10, 36)]
    page.goto("/console/voicemail?search=9900")
    page.get_by_role("link", name="Next").focus()
    site.message(extensions[0])
    expect(page.locator("tr", has_text=extensions[0]).locator(".badge.new")).to_be_visible()
    expect(page.get_by_role("link", name="Next")).to_be_focused()


def test_who_presses_a_button_that_goes_is_where_the_answer_is(page: Page, site: Site) -> None:
    extension = site.mailbox()
    page.goto(f"/console/voicemail/{extension}")
    page.get_by_role("button", name="Place a test call").press("Enter")
    expect(page.locator("#test-call").get_by_role("status")).to_be_visible()
    expect(page.locator("#test-call")).to_be_focused()
    page.goto("/console/voicemail/settings")
    page.get_by_role("button", name="Test the store").press("Enter")
    expect(page.locator("#storage-test-result").get_by_role("status")).to_be_visible()
    expect(page.locator("#storage-test-result")).to_be_focused()


def test_a_pin_is_reset_and_shown_once(page: Page, site: Site) -> None:
    extension = site.mailbox()
    page.goto(f"/console/voicemail/{extension}")
    page.get_by_role("link", name="Reset PIN").click()
    page.get_by_label("PIN").fill("1111")
    page.get_by_role("button", name="Reset PIN").click()
    expect(page.get_by_text("must not all be the same")).to_be_visible()
    page.get_by_label("PIN").fill("")
    page.get_by_role("button", name="Reset PIN").click()
    expect(page.locator(".secret")).to_be_visible()
    page.get_by_role("link", name="To the mailbox").click()
    page.wait_for_url(f"**/{extension}")


def test_a_greeting_is_uploaded_heard_and_removed(page: Page, site: Site, wav_file: Path, tmp_path: Path) -> None:
    extension = site.mailbox()
    pdf = tmp_path / "greeting.wav"
    pdf.write_bytes(b"%PDF-1.7 " + bytes(2000))
    page.goto(f"/console/voicemail/{extension}")
    card = page.locator("#kind-unavailable")
    card.get_by_text("Upload").first.click()
    card.locator("input[type=file]").set_input_files(pdf)
    card.get_by_role("button", name="Upload").click()
    expect(card.get_by_text("This is not an audio file")).to_be_visible()
    card.locator("input[type=file]").set_input_files(wav_file)
    card.get_by_role("button", name="Upload").click()
    expect(card.get_by_text("Your own")).to_be_visible()
    page.evaluate("document.querySelector('#kind-unavailable audio').play()")
    until(lambda: page.evaluate("document.querySelector('#kind-unavailable audio').currentTime") > 0.2, what="it plays")
    card.get_by_text("Replace or remove").click()
    card.get_by_role("button", name="Remove the greeting").click()
    expect(card.get_by_text("Callers hear the default greeting")).to_be_visible()


def test_a_mailbox_is_deleted_by_typing_its_extension(page: Page, site: Site) -> None:
    extension = site.mailbox()
    page.goto(f"/console/voicemail/{extension}")
    page.get_by_role("link", name="Delete…").click()
    page.get_by_label("Extension").fill("1")
    page.get_by_role("button", name="Delete mailbox").click()
    expect(page.locator(".error")).to_contain_text(extension)
    page.get_by_label("Extension").fill(extension)
    page.get_by_role("button", name="Delete mailbox").click()
    page.wait_for_url("**/console/voicemail")
    expect(page.get_by_role("link", name=extension, exact=True)).to_have_count(0)


def test_settings_hide_secrets(page: Page) -> None:
    page.goto("/console/voicemail/settings")
    expect(page.get_by_text("webhook.headers")).to_be_visible()
    assert "hidden-from-the-page" not in page.content()
    assert "a key of the test" not in page.content()


def test_a_session_that_ended_elsewhere(open_browser: Callable[..., Page], site: Site) -> None:
    extension = site.mailbox()
    page = open_browser()
    page.goto(f"/console/voicemail/{extension}")
    other = page.context.new_page()
    other.goto("/console/voicemail")
    other.get_by_role("button", name="Log out").click()
    expect(other.get_by_role("button", name="Log in")).to_be_visible()
    # The list asks for news by itself, and hears that nobody is logged in.
    page.wait_for_url("**/login**")
    enter(page)


@pytest.mark.slow
def test_the_test_call_leaves_a_message_that_plays(page: Page, site: Site, voice: VoiceWorker) -> None:
    extension = site.mailbox()
    page.goto(f"/console/voicemail/{extension}")
    page.get_by_role("button", name="Place a test call").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator("#test-call .notice.done")).to_be_visible(timeout=60_000)
    row = page.locator("li.message")
    expect(row).to_have_count(1)
    message_id = (row.get_attribute("id") or "").removeprefix("message-")
    play(page, message_id)
    until(lambda: seconds(page, message_id) > 0.5, what="the message plays")


def test_a_proxy_s_page_takes_no_place_of_ours(page: Page, site: Site) -> None:
    """While the portal starts anew, what stands before it answers: lists stay, and so does what was typed."""

    answers = {"status": 502}

    def answer(route: Route) -> None:
        if "hx-request" in route.request.headers:
            route.fulfill(**answers, content_type="text/html", body="<h1>502 Bad Gateway</h1>")
        else:
            route.continue_()

    extension = site.mailbox()
    row = page.locator(f"#message-{site.message(extension)}")
    line = page.locator("#connection")
    page.goto(f"/console/voicemail/{extension}")
    expect(row).to_be_visible()
    page.route("**/*", answer)
    expect(line).to_be_visible()
    expect(row).to_be_visible()
    page.unroute("**/*")
    expect(line).to_be_hidden()
    another = site.message(extension)
    expect(page.locator(f"#message-{another}")).to_be_visible()
    page.goto(f"/console/voicemail/mailboxes/{extension}/edit")
    page.get_by_label("Name", exact=True).fill("Typed once")
    page.route("**/*", answer)
    page.get_by_role("button", name="Save").click()
    expect(line).to_contain_text("does not answer")
    answers["status"] = 413
    page.get_by_role("button", name="Save").click()
    expect(line).to_contain_text("refused this")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Typed once")
    page.unroute("**/*")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("is changed")).to_be_visible()
    expect(page.get_by_text("502")).to_have_count(0)
