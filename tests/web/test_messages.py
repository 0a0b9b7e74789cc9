"""Messages in the portal: what the page shows, what its buttons do, and how it renews itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from app.extensions import db
from app.models import Message
from app.services import mailboxes, messages, paging, trimmed
from tests.web.browser import HTMX, Browser, form_of

LIST = "/console/voicemail"
BOX = f"{LIST}/1001"
MARKUP = "<img src=x onerror=alert(1)>"
Make = Callable[..., str]


def act(message_id: str, name: str) -> str:
    return f"{LIST}/messages/{message_id}/{name}"


def state_of(app: Flask, message_id: str) -> tuple[str, bool]:
    """State, and whether it is in the trash."""
    with app.app_context():
        message = db.session.get(Message, message_id)
        assert message is not None
        return message.state, message.deleted_at is not None


def version_in(text: str) -> str:
    found = re.search(r'id="inbox-version"[^>]* value="([^"]+)"', text)
    assert found
    return found[1]


def cursor_behind(message_id: str, received_at: datetime) -> str:
    """Of the page that begins after this message."""
    return paging.cursor_of(received_at, message_id)


class TestPage:
    """GET /console/voicemail/{ext}."""

    def test_an_empty_mailbox_says_what_to_do(self, browser: Browser, mailbox: str) -> None:
        page = browser.get(BOX)
        assert "No messages yet" in page.text
        assert "Place a test call" in page.text

    @pytest.mark.parametrize(
        ("view", "sentence"),
        [
            ("new", "Nothing new"),
            ("saved", "Nothing saved"),
            ("trash", "The trash is empty"),
            ("discarded", "No recordings without speech"),
        ],
    )
    def test_each_empty_view_too(self, browser: Browser, mailbox: str, view: str, sentence: str) -> None:
        assert sentence in browser.get(f"{BOX}?view={view}").text

    def test_a_message_with_its_facts_and_player(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        message_id = make_message(seconds=63, urgent=True)
        page = browser.get(BOX)
        for text in ("0301234567", "Carla Caller", "1:03", "Urgent", "Stored", "1 new, 0 saved", ">New<"):
            assert text in page.text
        player = re.search(r"<audio [^>]+>", page.text)
        assert player
        assert "controls" in player[0]
        assert 'preload="none"' in player[0]
        assert f'src="/api/voicemail/messages/{message_id}/audio"' in player[0]

    def test_what_waits_to_be_stored_says_so(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        make_message(uploaded=False)
        assert "Waiting to be stored" in browser.get(BOX).text

    def test_times_are_those_of_the_mailboxs_zone(self, app: Flask, browser: Browser, make_message: Make) -> None:
        with app.app_context():
            mailboxes.create("1001", pin="4711", timezone="Asia/Tokyo", actor="test")
        make_message(received_at=datetime(2024, 1, 31, 20, 5, tzinfo=UTC))
        page = browser.get(BOX)
        assert "Thu 1 Feb 2024 05:05" in page.text
        assert 'datetime="2024-01-31T20:05:00+00:00"' in page.text

    def test_callers_are_text(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        make_message(caller_number=MARKUP, caller_name=MARKUP)
        assert MARKUP not in browser.get(BOX).text

    def test_an_unknown_caller_has_a_name(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        make_message(caller_number="", caller_name="")
        assert "Unknown caller" in browser.get(BOX).text

    def test_views(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        new, saved, gone, silent = make_message(), make_message(), make_message(), make_message(discarded=True)
        with app.app_context():
            messages.mark(saved, "saved", actor="test")
            messages.trash(gone, actor="test")
        shown = {
            view: {
                one for one in (new, saved, gone, silent) if f"message-{one}" in browser.get(f"{BOX}?view={view}").text
            }
            for view in ("all", "new", "saved", "trash", "discarded", "nonsense")
        }
        assert shown == {
            "all": {new, saved},
            "new": {new},
            "saved": {saved},
            "trash": {gone},
            "discarded": {silent},
            "nonsense": {new, saved},
        }

    def test_older_messages_are_a_page_further(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        now = datetime.now(UTC)
        ids = [make_message(uploaded=False, seconds=0.1, received_at=now - timedelta(minutes=n)) for n in range(51)]
        first = browser.get(BOX).text
        assert f"message-{ids[49]}" in first
        assert f"message-{ids[50]}" not in first
        link = re.search(r'rel="next" href="([^"]+)"', first)
        assert link
        older = browser.get(link[1].replace("&amp;", "&"))
        assert f"message-{ids[50]}" in older.text
        assert "poll-inbox" not in older.text, "only the newest page renews itself"

    def test_a_page_of_older_ones_that_are_gone_says_so(
        self, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        one = make_message()
        older = browser.get(BOX, query_string={"cursor": cursor_behind(one, datetime(2000, 1, 1, tzinfo=UTC))}).text
        assert "No older messages" in older
        assert "No messages yet" not in older

    @pytest.mark.parametrize("cursor", ["x", "!!!", "AAAA", "8J+YgA==", "MjAyNHx4"])
    def test_a_cursor_that_is_none_is_told(self, browser: Browser, mailbox: str, cursor: str) -> None:
        assert browser.get(BOX, query_string={"cursor": cursor}).status_code == 422


class TestButtons:
    """POST /console/voicemail/messages/{id}/…, as plain forms."""

    def test_read_and_unread(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        assert browser.submit(BOX, act(one, "read")).location == BOX
        assert state_of(app, one) == ("saved", False)
        browser.submit(BOX, act(one, "unread"))
        assert state_of(app, one) == ("new", False)

    def test_delete_and_undo(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        answer = browser.submit(BOX, act(one, "delete"))
        assert state_of(app, one) == ("new", True)
        page = browser.get(answer.location)
        assert "is in the trash" in page.text
        undo = form_of(page, act(one, "restore"))
        browser.client.post(undo.action, data=undo.values)
        assert state_of(app, one) == ("new", False)
        assert "is back" in browser.get(BOX).text

    def test_out_of_the_trash(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        browser.submit(BOX, act(one, "delete"))
        assert "is in the trash" in browser.get(BOX).text
        answer = browser.submit(f"{BOX}?view=trash", act(one, "restore"))
        assert answer.location == f"{BOX}?view=trash"
        assert state_of(app, one) == ("new", False)

    def test_keep(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message(discarded=True)
        browser.submit(f"{BOX}?view=discarded", act(one, "keep"))
        assert state_of(app, one) == ("new", False)

    def test_a_recording_without_speech_cannot_be_read(
        self, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        one = make_message(discarded=True)
        answer = browser.client.post(act(one, "read"), data={"csrf_token": browser.csrf_token()})
        assert answer.status_code == 422
        assert "keep it first" in answer.text

    @pytest.mark.parametrize("name", ["read", "unread", "delete", "restore", "keep"])
    def test_an_unknown_message_is_404(self, browser: Browser, mailbox: str, name: str) -> None:
        token = {"csrf_token": browser.csrf_token()}
        for message_id in ("00000000-0000-4000-8000-000000000000", "1", "x'--", "a" * 300):
            assert browser.client.post(act(message_id, name), data=token).status_code == 404

    @pytest.mark.parametrize("name", ["read", "unread", "delete", "restore", "keep"])
    def test_each_needs_token_and_log_in(
        self, browser: Browser, stranger: Browser, mailbox: str, make_message: Make, name: str
    ) -> None:
        one = make_message()
        assert browser.client.post(act(one, name)).status_code == 400
        assert browser.client.get(act(one, name)).status_code == 405
        token = form_of(stranger.get("/login"), "/login").values["csrf_token"]
        answer = stranger.client.post(act(one, name), data={"csrf_token": token})
        assert answer.location.startswith("/login")

    def test_messages_of_a_deleted_mailbox_are_gone(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        one = make_message()
        with app.app_context():
            mailboxes.delete(mailbox, confirm=mailbox, actor="test")
        assert browser.client.post(act(one, "read"), data={"csrf_token": browser.csrf_token()}).status_code == 404


class TestOnAnOlderPage:
    """Whoever is on a page of older messages stays on it, whatever is done there."""

    NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)

    @pytest.fixture
    def newer(self, mailbox: str, make_message: Make) -> str:
        return make_message(uploaded=False, received_at=self.NOW)

    @pytest.fixture
    def older(self, newer: str, make_message: Make) -> str:
        return make_message(uploaded=False, received_at=self.NOW - timedelta(hours=1))

    @pytest.fixture
    def page(self, newer: str) -> str:
        """The address of what comes after the newer one."""
        return f"{BOX}?cursor={cursor_behind(newer, self.NOW)}"

    @pytest.mark.parametrize("name", ["read", "delete"])
    def test_without_scripts(self, browser: Browser, page: str, older: str, name: str) -> None:
        assert browser.submit(page, act(older, name)).location == page

    def test_its_view_too(self, browser: Browser, page: str, older: str) -> None:
        answer = browser.submit(page.replace("?", "?view=new&"), act(older, "delete"))
        assert answer.location == page.replace("?", "?view=new&")

    def test_undo_without_scripts(self, browser: Browser, page: str, older: str) -> None:
        shown = browser.get(browser.submit(page, act(older, "delete")).location)
        assert f'id="message-{older}"' not in shown.text
        undo = form_of(shown, act(older, "restore"))
        assert browser.client.post(undo.action, data=undo.values).location == page

    def test_undo_with_htmx_brings_the_row_back(self, browser: Browser, page: str, newer: str, older: str) -> None:
        undo = form_of(browser.submit(page, act(older, "delete"), headers=HTMX), act(older, "restore"))
        answer = browser.client.post(undo.action, data=undo.values, headers=HTMX)
        assert f'id="message-{older}"' in answer.text
        assert f'id="message-{newer}"' not in answer.text


class TestFragments:
    """The same with HTMX: only what changes is sent."""

    def test_nothing_is_sent_while_nothing_changed(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        make_message()
        version = version_in(browser.get(BOX).text)
        answer = browser.get(f"{BOX}/messages", query_string={"version": version}, headers=HTMX)
        assert (answer.status_code, answer.data) == (204, b"")

    def test_a_new_message_is(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        version = version_in(browser.get(BOX).text)
        one = make_message()
        answer = browser.get(f"{BOX}/messages", query_string={"version": version}, headers=HTMX)
        assert answer.status_code == 200
        assert f'id="message-{one}"' in answer.text
        assert "1 new, 0 saved" in answer.text
        assert "<html" not in answer.text
        assert version_in(answer.text) != version

    def test_the_midnight_of_its_zone_is_a_change(
        self, app: Flask, browser: Browser, make_message: Make, clock: Callable[[datetime], None]
    ) -> None:
        with app.app_context():
            mailboxes.create("1001", pin="4711", timezone="Asia/Tokyo", actor="test")
        make_message(received_at=datetime(2026, 3, 1, 7, 55, tzinfo=UTC))
        clock(datetime(2026, 3, 1, 14, 59, tzinfo=UTC))
        page = browser.get(BOX).text
        assert "Today 16:55" in page
        poll = {"query_string": {"version": version_in(page)}, "headers": HTMX}
        assert browser.get(f"{BOX}/messages", **poll).status_code == 204
        clock(datetime(2026, 3, 1, 15, 1, tzinfo=UTC))
        answer = browser.get(f"{BOX}/messages", **poll)
        assert answer.status_code == 200
        assert "Yesterday 16:55" in answer.text

    def test_the_name_of_a_player_is_true_on_any_day(
        self, browser: Browser, mailbox: str, make_message: Make, clock: Callable[[datetime], None]
    ) -> None:
        """A list that renews itself leaves its players alone."""
        received = datetime(2026, 3, 1, 7, 55, tzinfo=UTC)
        make_message(received_at=received)
        clock(received)
        assert 'aria-label="Message from Carla Caller, 0301234567, Sunday 1 March 2026' in browser.get(BOX).text

    def test_a_row_keeps_its_version_until_it_looks_different(
        self, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        one = make_message()

        def row_version(text: str) -> str:
            found = re.search(rf'id="message-{one}"[^>]* data-version="(\w+)"', text)
            assert found
            return found[1]

        before = row_version(browser.get(BOX).text)
        make_message()
        assert row_version(browser.get(BOX).text) == before
        browser.submit(BOX, act(one, "read"))
        assert row_version(browser.get(BOX).text) != before

    def test_an_act_answers_with_the_list(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        one, other = make_message(), make_message()
        answer = browser.submit(BOX, act(one, "delete"), headers=HTMX)
        assert answer.status_code == 200
        assert f'id="message-{one}"' not in answer.text
        assert f'id="message-{other}"' in answer.text
        assert 'id="notices"' in answer.text
        assert form_of(answer, act(one, "restore")).attributes["hx-target"] == "#messages"

    def test_an_error_goes_to_the_notices(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        answer = browser.client.post(
            act("00000000-0000-4000-8000-000000000000", "read"), data={"csrf_token": browser.csrf_token()}, headers=HTMX
        )
        assert answer.status_code == 404
        assert answer.headers["HX-Retarget"] == "#notices"
        assert "There is no such message." in answer.text

    def test_a_poll_that_fails_changes_nothing(self, browser: Browser, mailbox: str) -> None:
        answer = browser.get(f"{LIST}/1099/messages", headers={**HTMX, "HX-Trigger": "poll-inbox"})
        assert (answer.status_code, answer.data) == (404, b"")
        assert answer.headers["HX-Reswap"] == "none"


def test_what_was_cut_off_a_message_can_be_had_as_long_as_it_is_kept(
    app: Flask, browser: Browser, mailbox: str, make_message: Make
) -> None:
    cut, uncut = make_message(), make_message()
    path = trimmed.path_of(app.extensions["settings"], cut)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF")
    page = browser.get(BOX).text
    assert f"/api/voicemail/messages/{cut}/audio?whole=1" in page
    assert f"/api/voicemail/messages/{uncut}/audio?whole=1" not in page
