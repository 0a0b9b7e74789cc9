"""The card of a mailbox's lamps: who was told what, and all of it anew."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from flask import Flask

from app.extensions import db
from app.models import Audit
from app.services import lamps, mailboxes
from app.services.lamps import Told
from app.services.subscriptions import Counts
from tests.conftest import Login
from tests.web.browser import HTMX, Browser

BOX = "/console/voicemail/1001"
CARD, RESYNC = f"{BOX}/lamps", f"{BOX}/lamps/resync"


def tell(app: Flask, **facts: object) -> None:
    with app.app_context():
        box = mailboxes.get("1001")
        counts = Counts(box.id, "1001", new=2, saved=5, urgent_new=1, version=box.mwi_version)
        usual = {"answer": "200 OK", "works": True, "version": box.mwi_version, "remaining": 600.0}
        lamps.save("pbx:5060", [Told("a;b", "subscription", counts, **(usual | facts))])  # type: ignore[arg-type]


def test_an_empty_card_says_what_to_do(browser: Browser, mailbox: str) -> None:
    text = browser.get(BOX).text
    assert "No device was told of this mailbox yet" in text
    assert "sip.mwi_target" in text
    assert "Redis is away" in text


def test_what_a_device_was_told_is_seen(app: Flask, browser: Browser, mailbox: str) -> None:
    tell(app, device='sip:1001@192.0.2.7:5060;x="<b>\x07')
    text = browser.get(BOX).text
    assert "2 new (1 urgent), 5 saved, sent" in text
    assert "by pbx:5060" in text
    assert "Its answer: 200 OK" in text
    assert "<b>" not in text.split('id="lamps"')[1]
    assert "Newer counts are to be sent" not in text
    tell(app, device="sip:1001@192.0.2.7:5060", answer="503 Busy", works=False, version=None)
    assert 'class="small wrong">Its answer: 503 Busy' in browser.get(CARD).text


def test_resync_without_scripts(app: Flask, browser: Browser, mailbox: str) -> None:
    tell(app)
    assert browser.submit(BOX, RESYNC).location == BOX
    text = browser.get(BOX).text
    assert "Redis is away. The voice workers find mailbox 1001 by themselves" in text
    assert "Newer counts are to be sent" in text
    with app.app_context():
        box = mailboxes.get("1001")
        assert (box.mwi_dirty, box.mwi_version) == (True, 1)
        assert db.session.query(Audit).filter_by(action="mailbox.resync", object_id=box.id).count() == 1


def test_with_scripts_the_card_renews_itself(app: Flask, browser: Browser, mailbox: str) -> None:
    data = {"csrf_token": browser.csrf_token()}
    answer = browser.client.post(RESYNC, data=data, headers=HTMX)
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<section class="card" id="lamps"')
    version = answer.text.split('name="lamps" value="')[1].split('"')[0]
    assert browser.get(CARD, query_string={"lamps": version}, headers=HTMX).status_code == 204
    tell(app)
    assert browser.get(CARD, query_string={"lamps": version}, headers=HTMX).status_code == 200


def test_the_card_renews_itself_at_midnight(
    app: Flask, browser: Browser, mailbox: str, clock: Callable[[datetime], None]
) -> None:
    tell(app)
    with app.app_context():
        sent_at = lamps.of_mailbox(mailboxes.get(mailbox).id)[0].sent_at
    clock(sent_at)
    text = browser.get(BOX).text
    assert re.search(r"sent <time [^>]+>today ", text)
    version = text.split('name="lamps" value="')[1].split('"')[0]
    poll = {"query_string": {"lamps": version}, "headers": HTMX}
    assert browser.get(CARD, **poll).status_code == 204
    clock(sent_at + timedelta(days=1))
    answer = browser.get(CARD, **poll)
    assert answer.status_code == 200
    assert re.search(r"sent <time [^>]+>yesterday ", answer.text)


def test_it_needs_a_token_a_log_in_and_a_mailbox(browser: Browser, stranger: Browser, mailbox: str) -> None:
    assert browser.client.post(RESYNC).status_code == 400
    assert stranger.get(CARD).status_code == 302
    data = {"csrf_token": browser.csrf_token()}
    assert browser.client.post(RESYNC.replace("1001", "99"), data=data).status_code == 404


def test_staff_may(app: Flask, browser: Browser, staff: Login, mailbox: str) -> None:
    assert browser.submit(BOX, RESYNC).status_code == 303
