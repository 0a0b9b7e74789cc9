"""Deliveries in a real browser: histories, trying again, the list of what failed, the job queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect
from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import delete, update

from app.database import writing
from app.extensions import db
from app.models import Attempt, Delivery, Message
from app.models.base import utc_now
from tests.browser.conftest import Site

pytestmark = pytest.mark.browser
JAVASCRIPT = pytest.mark.parametrize("javascript", [True, False])
LIST = "/console/voicemail/deliveries"
# The job worker of the site has no handler that could spoil a test: what is tried again fails for good at once.
KIND = "webhook"
REASON = "the receiver answered 500"


@pytest.fixture(autouse=True)
def clean(site: Site) -> Iterator[None]:
    """No failed deliveries of other tests."""
    yield
    with site.instance.app.app_context(), writing():
        db.session.execute(delete(Attempt))
        db.session.execute(delete(Delivery).where(Delivery.event == "message.read"))


def fail(site: Site, message_id: str, target: str = "global") -> str:
    """A webhook call of a message that was given up after two attempts; its id."""
    with site.instance.app.app_context(), writing():
        message = db.session.get_one(Message, message_id)
        row = Delivery(
            mailbox_id=message.mailbox_id,
            message_id=message_id,
            kind=KIND,
            event="message.read",
            target=target,
            position=3,
            state="failed",
            attempts=2,
            last_error=REASON,
            done_at=utc_now(),
        )
        db.session.add(row)
        db.session.flush()
        for number, state in ((1, "pending"), (2, "failed")):
            then = utc_now() - timedelta(hours=3 - number)
            db.session.add(Attempt(delivery_id=row.id, attempt=number, ended_at=then, state=state, error=REASON))
        return row.id


def hold(site: Site, delivery_id: str, attempts: int = 1) -> None:
    """Let it wait for an hour, whatever became of it.

    Without an attempt it counts as under way, and waits for less than a minute: the relay believes no longer one.
    """
    seconds = 3600 if attempts else 55
    with site.instance.app.app_context(), writing():
        later = {"state": "pending", "attempts": attempts, "next_try_at": utc_now() + timedelta(seconds=seconds)}
        db.session.execute(update(Delivery).where(Delivery.id == delivery_id).values(**later))


@JAVASCRIPT
def test_a_history_is_opened_and_tried_again(open_browser: Callable[..., Page], site: Site, javascript: bool) -> None:
    extension = site.mailbox()
    message_id = site.message(extension)
    failed = fail(site, message_id)
    page = open_browser(javascript=javascript)
    page.goto(f"/console/voicemail/{extension}")
    row = page.locator(f"#message-{message_id}")
    expect(row.get_by_text("Webhook could not be sent")).to_be_visible()
    row.locator("summary").click()
    if not javascript:
        row.get_by_role("link", name="What became of each attempt").click()
        row = page.locator("main")
    expect(row.get_by_text(REASON)).to_have_count(2)
    row.get_by_role("button", name="Try again").click()
    expect(page.locator(".notice.done")).to_contain_text("tried again now")
    with_a_third = row.locator(f"#told-{failed} ol > li")
    if javascript:
        expect(with_a_third).to_have_count(3)
    else:
        page.reload()
        expect(row.locator(f"#told-{failed}")).to_be_visible()


@JAVASCRIPT
def test_the_list_of_what_failed(open_browser: Callable[..., Page], site: Site, javascript: bool) -> None:
    message_id = site.message(site.mailbox())
    second = [fail(site, message_id) for _ in range(3)][1]
    page = open_browser(javascript=javascript)
    page.goto("/console/voicemail")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Deliveries 3 failed").click()
    expect(page.get_by_text("3 deliveries failed or wait")).to_be_visible()
    page.get_by_label("State").select_option("waiting")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("Nothing here")).to_be_visible()
    page.goto(LIST)
    page.locator(f"#retry-{second}").click()
    expect(page.locator(".notice.done")).to_contain_text("tried again now")
    hold(site, second)
    page.goto(LIST)
    page.get_by_role("button", name="Try all 3 again").click()
    expect(page.locator(".notice.done")).to_contain_text("3 deliveries are tried again now")


def test_by_keyboard_in_a_narrow_window(open_browser: Callable[..., Page], site: Site) -> None:
    extension = site.mailbox()
    message_id = site.message(extension)
    failed = fail(site, message_id)
    page = open_browser(width=320)
    page.goto(f"/console/voicemail/{extension}")
    page.locator(f"#history-{message_id} summary").focus()
    page.keyboard.press("Enter")
    button = page.locator(f"#retry-{failed}")
    expect(button).to_be_visible()
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.keyboard.press("Enter")
    expect(page.locator(".notice.done")).to_be_visible()
    # On its button again where the attempt has failed before the answer was written.
    expect(page.locator(f"#poll-history-{message_id}:focus-within")).to_be_visible()
    fail(site, message_id)
    page.goto(LIST)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.goto(f"/console/voicemail/messages/{message_id}/deliveries")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_an_act_counts_while_the_history_renews_itself(open_browser: Callable[..., Page], site: Site) -> None:
    extension = site.mailbox()
    message_id = site.message(extension)
    under_way, failed = fail(site, message_id), fail(site, message_id, "mailbox")
    hold(site, under_way, attempts=0)
    page = open_browser()
    page.goto(f"/console/voicemail/{extension}")
    page.locator(f"#history-{message_id} summary").click()
    button = page.locator(f"#retry-{failed}")
    expect(button).to_be_visible()
    renewals: list[Route] = []
    history = f"**/messages/{message_id}/deliveries"
    page.route(history, lambda route: route.continue_() if renewals else renewals.append(route))
    with page.expect_request(history):
        button.focus()
    button.press("Enter")
    renewals[0].continue_()
    expect(page.locator(".notice.done")).to_contain_text("tried again now")
    expect(page.locator(f"#poll-history-{message_id}:focus-within")).to_be_visible()


def test_an_act_that_waits_for_another_one_is_not_lost(open_browser: Callable[..., Page], site: Site) -> None:
    extension = site.mailbox()
    first, second = site.message(extension), site.message(extension)
    page = open_browser()
    page.goto(f"/console/voicemail/{extension}")
    asked: list[Route] = []
    page.route(f"**/messages/{first}/read", lambda route: route.continue_() if asked else asked.append(route))
    with page.expect_request("**/read"):
        page.locator(f"#first-{first}").click()
    page.locator(f"#first-{second}").click()
    # The answer to the first act tells this of the second message.
    fail(site, second)
    asked[0].continue_()
    row = page.locator(f"#message-{second}")
    expect(row.get_by_text("Webhook could not be sent")).to_be_visible()
    expect(row.get_by_role("button", name="Mark as new")).to_be_visible()


def test_the_list_renews_itself(open_browser: Callable[..., Page], site: Site) -> None:
    message_id = site.message(site.mailbox())
    page = open_browser()
    page.goto(LIST)
    failed = fail(site, message_id)
    expect(page.locator(f"#delivery-{failed}")).to_be_visible()


def test_the_links_of_a_row_keep_the_focus(open_browser: Callable[..., Page], site: Site) -> None:
    extension = site.mailbox()
    failed = fail(site, site.message(extension))
    page = open_browser()
    page.goto(LIST)
    row = page.locator(f"#delivery-{failed}")
    row.get_by_role("link", name=extension, exact=True).focus()
    hold(site, failed)
    expect(row).to_contain_text("next try")
    expect(row.get_by_role("link", name=extension, exact=True)).to_be_focused()


def test_the_job_queues(open_browser: Callable[..., Page], site: Site) -> None:
    markup = "<img src=x onerror=alert(1)>"
    with Redis.from_url(site.instance.settings.redis_url) as connection:
        queue = Queue("nobody", connection=connection, serializer=JSONSerializer)
        job = queue.enqueue_call("nothing.at.all", description=markup)
    page = open_browser()
    page.goto(LIST)
    page.get_by_role("link", name="Job queues").click()
    row = page.get_by_role("row", name="nobody")
    row.get_by_role("link", name="1").click()
    expect(page.locator(".description").get_by_text(markup)).to_be_visible()
    page.get_by_role("link", name=job.id).click()
    expect(page.locator(".description-scroll").get_by_text(markup)).to_be_visible()
    page.get_by_role("link", name="Workers").click()
    expect(page.locator("#workers tbody tr").first).to_contain_text("idle")
    assert page.get_by_role("button").count() == 0
    page.get_by_role("link", name="Deliveries").click()
    page.wait_for_url(f"**{LIST}")
    job.delete()
