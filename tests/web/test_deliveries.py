"""Deliveries in the portal: the history of a message's, the list of what failed, and trying again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.extensions import db
from app.jobs import run
from app.models import Attempt, Audit, Delivery, Mailbox, Webhook
from app.models.base import utc_now
from app.services import mailboxes, paging, purge
from app.services.context import settings
from app.services.spool import wav_of
from tests.services.recorded import recorded, upload_of
from tests.services.recorded import row as row_of
from tests.web.browser import HTMX, Browser, form_of, forms_of

LIST = "/console/voicemail/deliveries"
MARKUP = "<img src=x onerror=alert(1)>"
Make = Callable[..., str]


def add(app: Flask, message_id: str | None, kind: str = "email", target: str = "anna@example.com", **facts: object):
    """A delivery that failed, or is as the facts say; its id."""
    values = {"state": "failed", "attempts": 3, "last_error": "the server said no", "done_at": utc_now(), **facts}
    with app.app_context():
        box = db.session.scalars(select(Mailbox)).first()
        assert box is not None
        row = Delivery(mailbox_id=box.id, message_id=message_id, kind=kind, target=target, position=2, **values)
        db.session.add(row)
        db.session.commit()
        return row.id


def waiting(**facts: object) -> dict[str, object]:
    return {"state": "pending", "done_at": None, "next_try_at": utc_now() + timedelta(hours=1), **facts}


def row(app: Flask, delivery_id: str) -> Delivery:
    with app.app_context():
        found = db.session.get_one(Delivery, delivery_id)
        db.session.expunge(found)
        return found


def note(app: Flask, delivery_id: str, *states: str) -> None:
    """Attempts that ended so, one after the other."""
    with app.app_context():
        for number, state in enumerate(states, start=1):
            db.session.add(
                Attempt(delivery_id=delivery_id, attempt=number, ended_at=utc_now(), state=state, error=f"no {number}")
            )
        db.session.commit()


def history_of(message_id: str) -> str:
    return f"/console/voicemail/messages/{message_id}/deliveries"


class TestHistory:
    """GET /console/voicemail/messages/{id}/deliveries."""

    def test_each_attempt_with_its_error(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        note(app, add(app, one, **waiting()), "pending", "pending")
        page = browser.get(history_of(one)).text
        for text in ("E-mail to anna@example.com", "no 1", "no 2", "Waits for another try", "next try", "Upload from"):
            assert text in page

    def test_what_was_skipped_says_why(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        page = browser.get(history_of(make_message())).text
        assert "e-mail is not set up" in page
        assert "no webhook is set up" in page

    def test_errors_are_text(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        add(app, one, last_error=MARKUP, target=MARKUP)
        assert MARKUP not in browser.get(history_of(one)).text
        assert MARKUP not in browser.get(LIST).text

    def test_of_a_webhook_only_the_host(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one, settings = make_message(), app.extensions["settings"]
        with app.app_context():
            box = mailboxes.get(mailbox).id
            db.session.add(Webhook(scope=box, url="https://me:pw1@own.example:8443/path1?key=secret1"))
            db.session.commit()
        app.extensions["settings"] = replace(
            settings, webhook=replace(settings.webhook, url="https://general.example/path2?key=secret2")
        )
        add(app, one, "webhook", box)
        add(app, one, "webhook", "global")
        add(app, one, "webhook", "00000000-0000-4000-8000-000000000000")
        for page in (browser.get(history_of(one)).text, browser.get(LIST).text):
            assert "Webhook to own.example:8443" in page
            assert "Webhook to general.example" in page
            assert "Webhook that is no longer set up" in page
            for secret in ("pw1", "path1", "secret1", "path2", "secret2", "me:"):
                assert secret not in page

    def test_a_fragment_for_htmx(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        answer = browser.get(history_of(make_message()), headers=HTMX)
        assert "<html" not in answer.text
        assert "Upload from" in answer.text

    def test_it_renews_itself_only_as_long_as_something_happens(
        self, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        assert "hx-trigger" not in browser.get(history_of(make_message()), headers=HTMX).text
        assert "hx-trigger" in browser.get(history_of(make_message(uploaded=False)), headers=HTMX).text

    def test_an_unknown_message_is_404(self, browser: Browser, mailbox: str) -> None:
        for message_id in ("00000000-0000-4000-8000-000000000000", "1"):
            assert browser.get(history_of(message_id)).status_code == 404

    def test_of_a_purged_message_it_stays_and_says_so(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        one = make_message()
        failed = add(app, one)
        note(app, failed, "pending", "failed")
        with app.app_context():
            purge.purge(one)
        page = browser.get(history_of(one))
        assert "went for good" in page.text
        assert "no 2" in page.text
        assert "0301234567" not in page.text
        assert [form.action for form in forms_of(page) if "retry" in form.action] == []

    def test_the_link_stands_beside_the_message(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        assert f'href="{history_of(one)}"' in browser.get(f"/console/voicemail/{mailbox}").text


class TestTryAgain:
    """POST …/retry: of one delivery, of a message, of all."""

    def test_one(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        failed, other = add(app, one), add(app, one, target="b@example.com")
        note(app, failed, "failed")
        answer = browser.submit(history_of(one), f"{LIST}/{failed}/retry")
        assert answer.location == history_of(one)
        again = row(app, failed)
        assert (again.state, again.attempts, again.done_at) == ("pending", 0, None)
        assert row(app, other).state == "failed"
        assert "no 1" in browser.get(history_of(one)).text, "the history stays"
        with app.app_context():
            assert db.session.scalars(select(Audit.object_id).where(Audit.action == "delivery.retry")).all() == [failed]

    def test_a_second_click_is_harmless(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        failed = add(app, one)
        form = form_of(browser.get(history_of(one)), f"{LIST}/{failed}/retry")
        for _ in range(2):
            assert browser.client.post(form.action, data=form.values).status_code == 303
            assert row(app, failed).state == "pending"

    @pytest.mark.parametrize("state", ["done", "running", "skipped"])
    def test_what_needs_none_stays_as_it_is(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Make, state: str
    ) -> None:
        one = add(app, make_message(), state=state)
        token = {"csrf_token": browser.csrf_token()}
        assert browser.client.post(f"{LIST}/{one}/retry", data=token).status_code == 303
        assert (row(app, one).state, row(app, one).attempts) == (state, 3)

    def test_what_is_unknown_is_404(self, browser: Browser, mailbox: str) -> None:
        token = {"csrf_token": browser.csrf_token()}
        for url in (f"{LIST}/1/retry", f"{LIST}/{'0' * 8}-0000-4000-8000-{'0' * 12}/retry", f"{history_of('1')}/retry"):
            assert browser.client.post(url, data=token).status_code == 404

    def test_all_of_a_message(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one, other = make_message(), make_message()
        mine = [add(app, one), add(app, one, target="b@example.com", **waiting())]
        others = add(app, other)
        answer = browser.submit(history_of(one), f"{history_of(one)}/retry")
        assert answer.location == history_of(one)
        assert "2 deliveries are tried again now" in browser.get(history_of(one)).text
        assert [row(app, each).state for each in mine] == ["pending", "pending"]
        assert all(row(app, each).next_try_at <= utc_now() for each in mine)
        assert row(app, others).state == "failed"

    def test_all_that_the_list_shows(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        mails, hook = [add(app, one, target=f"{n}@example.com") for n in range(3)], add(app, one, "webhook", "global")
        page = browser.get(f"{LIST}?kind=email")
        assert "Try all 3 again" in page.text
        answer = browser.submit(f"{LIST}?kind=email", f"{LIST}/retry-all")
        assert answer.location == f"{LIST}?kind=email"
        assert {row(app, each).state for each in mails} == {"pending"}
        assert row(app, hook).state == "failed"

    def test_what_has_become_pointless_is_said_to_be(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        one = make_message()
        mail, gone = add(app, one), add(app, one, "webhook", "global", event="message.deleted")
        with app.app_context():
            purge.purge(one)
        browser.submit(LIST, f"{LIST}/retry-all")
        assert (row(app, mail).state, row(app, mail).last_error) == ("skipped", "the message is gone for good")
        assert row(app, gone).state == "pending", "receivers of webhooks still hear of its end"

    @pytest.mark.parametrize("all_of_them", [False, True])
    def test_whoever_is_on_an_older_page_stays_on_it(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Make, all_of_them: bool
    ) -> None:
        one, now = make_message(), utc_now()
        newer, older = add(app, one, created_at=now), add(app, one, created_at=now - timedelta(hours=1))
        page = f"{LIST}?kind=email&cursor={paging.cursor_of(now, newer)}"
        act = "retry-all" if all_of_them else f"{older}/retry"
        assert browser.submit(page, f"{LIST}/{act}").location == page

    def test_with_htmx_the_fragment_is_the_answer(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        one = make_message()
        first, second = add(app, one), add(app, one)
        answer = browser.submit(history_of(one), f"{LIST}/{first}/retry", headers=HTMX)
        assert answer.status_code == 200
        assert f"poll-history-{one}" in answer.text
        assert 'id="notices"' in answer.text
        listed = browser.submit(LIST, f"{LIST}/{second}/retry", headers=HTMX)
        assert f"delivery-{second}" not in listed.text
        assert "Nothing has failed" in listed.text


class TestList:
    """GET /console/voicemail/deliveries."""

    def test_an_empty_list_says_that_all_is_delivered(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        make_message()
        assert "All is delivered" in browser.get(LIST).text

    def test_but_not_while_something_is_on_its_way(self, browser: Browser, mailbox: str, make_message: Make) -> None:
        make_message(uploaded=False)
        page = browser.get(LIST).text
        assert "All is delivered" not in page
        assert "1 delivery is on its way" in page

    def test_each_with_what_staff_need(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        failed = add(app, one)
        add(app, one, target="later@example.com", last_error="busy", **waiting())
        page = browser.get(LIST).text
        for text in (
            "anna@example.com",
            "the server said no",
            "later@example.com",
            "busy",
            "next try",
            "tried 3 times",
        ):
            assert text in page
        assert f'href="{history_of(one)}"' in page
        assert f'href="/console/voicemail/{mailbox}"' in page
        assert f"{LIST}/{failed}/retry" in page
        assert page.count('class="badge urgent">1<') == 1, "the navigation counts what failed"

    def test_those_without_a_message_too(self, app: Flask, browser: Browser, mailbox: str) -> None:
        add(app, None, event="mailbox.locked")
        add(app, None, event="greeting.changed")
        page = browser.get(LIST).text
        assert "telephone access was locked after wrong PINs" in page
        assert "a greeting was changed" in page

    def test_filters(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        mail, hook = add(app, one), add(app, one, "webhook", "global", **waiting())
        shown = {
            query: {each for each in (mail, hook) if f"delivery-{each}" in browser.get(f"{LIST}?{query}").text}
            for query in ("", "kind=email", "kind=webhook", "state=failed", "state=waiting", "kind=x&state=y")
        }
        assert shown == {
            "": {mail, hook},
            "kind=email": {mail},
            "kind=webhook": {hook},
            "state=failed": {mail},
            "state=waiting": {hook},
            "kind=x&state=y": {mail, hook},
        }
        assert "No delivery is like that now" in browser.get(f"{LIST}?kind=upload").text

    def test_newest_first_and_older_ones_a_page_further(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        one, now = make_message(), utc_now()
        ids = [add(app, one, created_at=now - timedelta(minutes=n)) for n in range(52)]
        first = browser.get(LIST).text
        places = [first.index(f'id="delivery-{each}"') for each in ids[:50]]
        assert places == sorted(places)
        assert f'id="delivery-{ids[50]}"' not in first
        assert "Try all 52 again" in first
        cursor = first.split("cursor=")[-1].split('"')[0]
        older = browser.get(f"{LIST}?cursor={cursor}").text
        assert f'id="delivery-{ids[51]}"' in older
        assert f'id="delivery-{ids[49]}"' not in older

    @pytest.mark.parametrize("cursor", ["x", "AAAA", "8J+YgA=="])
    def test_a_cursor_that_is_none_is_told(self, browser: Browser, mailbox: str, cursor: str) -> None:
        assert browser.get(LIST, query_string={"cursor": cursor}).status_code == 422

    def test_nothing_is_sent_while_nothing_changed(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        add(app, make_message())
        version = form_of(browser.get(LIST), "").values["version"]
        again = browser.get(LIST, query_string={"version": version}, headers=HTMX)
        assert (again.status_code, again.data) == (204, b"")
        one = add(app, None, event="mailbox.full")
        changed = browser.get(LIST, query_string={"version": version}, headers=HTMX)
        assert f"delivery-{one}" in changed.text

    def test_the_midnight_of_a_zone_is_a_change(
        self, app: Flask, browser: Browser, clock: Callable[[datetime], None]
    ) -> None:
        with app.app_context():
            mailboxes.create("1001", pin="4711", timezone="Asia/Tokyo", actor="test")
        given_up = datetime(2026, 3, 1, 7, 55, tzinfo=UTC)
        add(app, None, event="mailbox.full", created_at=given_up, done_at=given_up)
        clock(datetime(2026, 3, 1, 14, 59, tzinfo=UTC))
        page = browser.get(LIST)
        assert "given up" in page.text
        assert "today 16:55" in page.text
        poll = {"query_string": {"version": form_of(page, "").values["version"]}, "headers": HTMX}
        assert browser.get(LIST, **poll).status_code == 204
        clock(datetime(2026, 3, 1, 15, 1, tzinfo=UTC))
        answer = browser.get(LIST, **poll)
        assert answer.status_code == 200
        assert "yesterday 16:55" in answer.text

    def test_of_a_deleted_mailbox(self, app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
        one = make_message()
        add(app, one)
        with app.app_context():
            mailboxes.delete(mailbox, confirm=mailbox, actor="test")
        assert "1001, deleted" in browser.get(LIST).text
        assert browser.get(history_of(one)).status_code == 200


class TestBesideAMessage:
    """The few words in the list of messages."""

    @pytest.mark.parametrize(
        ("states", "words"),
        [
            (["done"], "E-mail sent<"),
            (["done", "done", "done"], "E-mail to 3 addresses sent<"),
            (["done", "failed", "pending"], "E-mail to 1 of 3 addresses could not be sent<"),
            (["done", "pending"], "E-mail to 1 of 2 addresses waits, tried 3 times<"),
        ],
    )
    def test_mails_to_several_addresses_are_one_line(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Make, states: list[str], words: str
    ) -> None:
        one = make_message()
        for number, state in enumerate(states):
            add(app, one, target=f"{number}@example.com", state=state)
        page = browser.get(f"/console/voicemail/{mailbox}").text
        assert words in page
        assert page.count("E-mail ") == 1

    def test_a_webhook_that_told_of_its_reading_is_not_named_again(
        self, app: Flask, browser: Browser, mailbox: str, make_message: Make
    ) -> None:
        one = make_message()
        add(app, one, "webhook", "global", state="done", event="message.read")
        assert "Webhook sent" not in browser.get(f"/console/voicemail/{mailbox}").text
        add(app, one, "webhook", "global", event="message.deleted")
        assert "Webhook could not be sent: a message was deleted" in browser.get(f"/console/voicemail/{mailbox}").text


def test_metrics_count_what_is_tried_again(app: Flask, browser: Browser, mailbox: str, make_message: Make) -> None:
    one = make_message()
    add(app, one, **waiting())
    add(app, one)
    text = browser.get("/metrics").text
    assert 'voicemail_deliveries_retrying{kind="email"} 1.0' in text
    assert 'voicemail_deliveries{kind="email",state="failed"} 1.0' in text


def test_a_recording_of_a_call_that_could_not_be_stored_is_listed_and_tried_again(app: Flask, browser: Browser) -> None:
    with app.app_context():
        sid = recorded(uploaded=False)
        wav_of(settings(), row_of(sid).take_id or "").write_bytes(b"damaged")
        delivery_id = upload_of(sid).id
        run.deliver(delivery_id)
        host = settings().host_name
    page = browser.get(LIST)
    assert f"Upload from {host}" in page.text
    assert "Recording of a programmed call" in " ".join(re.sub(r"<[^>]+>", "", page.text).split())
    assert "the spool file is damaged" in page.text
    assert browser.submit(LIST, f"{LIST}/{delivery_id}/retry").status_code == 303
    assert row(app, delivery_id).state == "pending"


def test_only_administrators_are_led_to_the_call(app: Flask, browser: Browser, admin_browser: Browser) -> None:
    with app.app_context():
        sid = recorded(uploaded=False)
        db.session.execute(update(Delivery).values(state="failed"))
        db.session.commit()
        link = f'href="/console/voicemail/programmed-calls/{row_of(sid).call_sid}"'
    assert link not in browser.get(LIST).text
    assert link in admin_browser.get(LIST).text
