"""The trace of a call that runs shows itself in a browser line by line, with scripts and without."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from app.services import numbers, trace_rows
from app.services.numbers import Details
from tests.browser.conftest import Site
from tests.twiml.scripts import Scripts, running_scripts
from voice.twiml.trace import CALL, NOTICE, REQUEST, VERB, CallState, Entry

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LIST = "/console/voicemail/programmed-calls"
DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<Response>
  <Gather numDigits="1" action="/menu?lang=en">
    <Say langauge="en">Press 1 for <b>opening hours</b>.</Say>
  </Gather>
  <Redirect>/voice</Redirect>
</Response>
"""


@pytest.fixture
def scripts() -> Iterator[Scripts]:
    with running_scripts() as server:
        yield server


def write(site: Site, *things: CallState | Entry) -> None:
    """Write states and entries as the keeper does."""
    with site.instance.app.app_context():
        states = [asdict(one) for one in things if isinstance(one, CallState)]
        trace_rows.write(trace_rows.told(states, [asdict(one) for one in things if isinstance(one, Entry)]))


def shoot(page: Page, name: str) -> None:
    """A picture for people, where one is wanted."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_the_list_renews_itself(site: Site, open_browser: Callable[..., Page]) -> None:
    start = datetime.now(UTC)
    sid, number = f"CA{start.timestamp():032.0f}", f"77{start.timestamp():.0f}"
    state = CallState(sid, "", "+15551234567", number, "in-progress", start.isoformat(), sip_call_id="8a7f@list")
    page = open_browser(width=390)
    page.goto(f"{LIST}?number={number}")
    expect(page.get_by_text("Nothing here")).to_be_visible()
    write(site, state)
    row = page.locator("#programmed-calls > li.message")
    expect(row).to_contain_text("Runs")
    expect(page.get_by_text("Nothing here")).to_have_count(0)
    page.locator(f"#open-{sid}").focus()
    write(site, replace(state, status="completed", ended_at=(start + timedelta(seconds=7)).isoformat()))
    expect(row).to_contain_text("Completed")
    # Whoever is on a row by keyboard stays on it.
    expect(page.locator(f"#open-{sid}")).to_be_focused()
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0


def test_the_link_to_older_calls_keeps_the_focus(site: Site, page: Page) -> None:
    start = datetime.now(UTC)
    number = f"78{start.timestamp():.0f}"
    sids = [f"CA{start.timestamp() * 100 + n:032.0f}" for n in range(51)]
    calls = [CallState(sid, "", "+15551234567", number, "in-progress", start.isoformat()) for sid in sids]
    write(site, *calls)
    page.goto(f"{LIST}?number={number}")
    page.get_by_role("link", name="Older calls").focus()
    write(site, replace(calls[-1], status="completed", ended_at=(start + timedelta(seconds=7)).isoformat()))
    expect(page.locator(f"#row-{sids[-1]}")).to_contain_text("Completed")
    expect(page.get_by_role("link", name="Older calls")).to_be_focused()


@pytest.mark.parametrize("javascript", [True, False])
def test_a_running_call_shows_what_it_does(site: Site, open_browser: Callable[..., Page], javascript: bool) -> None:
    start = datetime.now(UTC)
    sid = f"CA{start.timestamp():032.0f}"
    state = CallState(sid, "", "+15551234567", "5551234", "in-progress", start.isoformat(), sip_call_id="8a7f@pbx")

    def entry(position: int, kind: str, what: str, **more: object) -> Entry:
        return Entry(sid, position, kind, what, (start + timedelta(seconds=position)).isoformat(), **more)  # type: ignore[arg-type]

    asked = {
        "parameters": [["CallSid", sid], ["From", "+15551234567"], ["To", "5551234"], ["CallStatus", "ringing"]],
        "status": 200,
        "content_type": "text/xml",
        "body": DOCUMENT,
    }
    write(
        site,
        state,
        entry(0, CALL, "ringing"),
        entry(1, REQUEST, "POST http://127.0.0.1:5000/voice?token=abc", seconds=0.031, detail=asked),
        entry(2, NOTICE, "Say has no attribute langauge.", detail={"code": 12200, "line": 4, "column": 10}),
        entry(3, VERB, "Gather", detail={"line": 3, "column": 3, "attributes": {"numDigits": 1, "timeout": 5}}),
    )
    page = open_browser(javascript=javascript, width=390 if javascript else 1200)
    page.goto(LIST)
    page.get_by_role("link", name="+15551234567").first.click()
    lines = page.locator("#trace > li")
    expect(lines).to_have_count(4)
    expect(lines.nth(2)).to_contain_text('<Say langauge="en">')
    expect(page.locator("#call-head")).to_contain_text("Runs")
    if javascript:
        # What somebody has opened stays open while the lines after it come.
        lines.nth(1).get_by_text("parameters, signed").click()
        page.get_by_text("Names of this call").click()
    write(
        site,
        replace(
            state, status="failed", ended_at=datetime.now(UTC).isoformat(), error_code=11200, error="Nobody there."
        ),
        entry(3, VERB, "Gather", outcome="1 was typed", seconds=2.4, detail={"line": 3, "column": 3}),
        entry(4, REQUEST, "POST http://127.0.0.1:5000/menu?lang=en", detail={"error": "Nobody there."}),
    )
    expect(lines).to_have_count(5, timeout=30_000)
    expect(lines.nth(3)).to_contain_text("1 was typed", timeout=30_000)
    expect(page.locator("#call-head")).to_contain_text("11200: Nobody there.", timeout=30_000)
    if javascript:
        expect(lines.nth(1).get_by_text("CallStatus")).to_be_visible()
        expect(page.get_by_text("8a7f@pbx")).to_be_visible()
        expect(page.locator("summary", has_text="Names of this call")).to_be_focused()
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width == 0
    shoot(page, f"trace-{javascript}")
    page.goto(LIST)
    shoot(page, f"calls-{javascript}")


def test_a_simulated_call_shows_its_trace(site: Site, scripts: Scripts, open_browser: Callable[..., Page]) -> None:
    scripts.answers["/voice"] = DOCUMENT.replace("langauge", "language").replace("<b>opening hours</b>", "hours")
    scripts.answers["/menu?lang=en"] = '<Response><Record maxLength="20" action="/done"/><Dance/></Response>'
    scripts.answers["/done"] = "<Response><Hangup/></Response>"
    with site.instance.app.app_context():
        details = Details(number="5551234", name="Shop", voice_url=f"{scripts.url}/voice")
        number_id = numbers.create(details, actor="test").id
    page = open_browser(width=900)
    page.goto(f"/console/voicemail/numbers/{number_id}")
    page.get_by_label("What the caller does").fill("dance")
    page.get_by_role("button", name="Simulate a call").click()
    expect(page.get_by_text("“dance” is neither keys")).to_be_visible()
    shoot(page, "refused")
    page.get_by_label("What the caller does").fill("1 #")
    page.get_by_role("button", name="Simulate a call").click()
    expect(page.locator("#call-head")).to_contain_text("Completed", timeout=90_000)
    expect(page.locator("#trace")).to_contain_text("Hangup")
    player = page.get_by_label("Recording 1 of the call")
    expect(player).to_be_visible()
    assert player.evaluate("async audio => { await audio.play(); return audio.duration }") > 1
    shoot(page, "simulated")
    page.goto(f"/console/voicemail/numbers/{number_id}")
    expect(page.get_by_role("heading", name="Last calls")).to_be_visible()
    shoot(page, "number")
