"""What staff see of a mailbox's life on the phone: locks, how full it is, what happened."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from app.services import mailboxes, phone_access
from app.services.mailbox_options import Options
from tests.conftest import PIN
from tests.web.browser import Browser

LIST = "/console/voicemail"
BOX = f"{LIST}/1001"
UNLOCK = f"{LIST}/mailboxes/1001/unlock"


def guess(app: Flask, times: int) -> None:
    with app.app_context():
        for _ in range(times):
            assert phone_access.log_in("1001", "902817", "test") is None


def set_options(app: Flask, **options: str) -> None:
    with app.app_context():
        mailboxes.update(
            "1001", name="", email="", language="en", timezone="UTC", options=Options(**options), actor="test"
        )


class TestLock:
    """Telephone access that wrong PINs locked."""

    def test_it_is_seen_and_ended(self, app: Flask, browser: Browser, mailbox: str) -> None:
        guess(app, phone_access.FAILURES)
        assert "Telephone access is locked until" in browser.get(BOX).text
        assert ">Locked<" in browser.get(LIST).text
        assert browser.submit(BOX, UNLOCK).location == BOX
        text = browser.get(BOX).text
        assert "may log in by phone again" in text
        assert "is locked until" not in text
        assert ">Locked<" not in browser.get(LIST).text
        with app.app_context():
            assert phone_access.log_in("1001", PIN, "test") is not None

    def test_fewer_wrong_pins_lock_nothing(self, app: Flask, browser: Browser, mailbox: str) -> None:
        guess(app, phone_access.FAILURES - 1)
        assert "is locked until" not in browser.get(BOX).text

    def test_of_no_mailbox(self, browser: Browser) -> None:
        data = {"csrf_token": browser.csrf_token()}
        assert browser.client.post(f"{LIST}/mailboxes/99/unlock", data=data).status_code == 404

    def test_strangers_end_none(self, app: Flask, stranger: Browser, mailbox: str) -> None:
        guess(app, phone_access.FAILURES)
        page = stranger.get("/login").text
        token = page.split('name="csrf_token" value="')[1].split('"')[0]
        assert stranger.client.post(UNLOCK, data={"csrf_token": token}).status_code == 302
        with app.app_context():
            assert phone_access.locked_until(mailboxes.get("1001")) is not None


class TestQuota:
    """How full a mailbox is."""

    def test_without_limits_nothing_is_said(self, browser: Browser, mailbox: str) -> None:
        assert "<meter" not in browser.get(BOX).text

    @pytest.mark.parametrize(
        ("limit", "said"),
        [("max_messages", "quota-messages"), ("max_seconds", "quota-seconds")],
    )
    def test_a_limit_is_shown_with_what_is_used(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Callable[..., str], limit: str, said: str
    ) -> None:
        make_message()
        set_options(app, **{limit: "10"})
        text = browser.get(BOX).text
        assert f'aria-labelledby="{said}"' in text
        assert text.count("<meter") == 1
        assert "callers cannot leave a message" not in text
        set_options(app, **{limit: "1"})
        assert "full, callers cannot leave a message" in browser.get(BOX).text


class TestLately:
    """What happened in a mailbox."""

    def test_the_newest_first(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Callable[..., str]
    ) -> None:
        make_message()
        guess(app, phone_access.FAILURES)
        text = browser.get(BOX).text
        assert text.index("telephone access was locked after wrong PINs") < text.index("a message came")

    def test_a_mailbox_in_which_nothing_happened(self, browser: Browser, mailbox: str) -> None:
        assert "Lately" not in browser.get(BOX).text


def test_options_are_shown(app: Flask, browser: Browser, mailbox: str) -> None:
    set_options(app, aliases="2001 2002", operator="100")
    text = browser.get(BOX).text
    assert "2001, 2002" in text
    assert ">100<" in text
