"""What an outage left behind is worked off without holding up what is new: `make bench` measures it with more."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.delivery_site import Site
from tests.support import until

pytestmark = [pytest.mark.slow, pytest.mark.alone]

BACKLOG, NEW = 500, 10


@pytest.mark.timeout(300)
def test_new_messages_do_not_wait_for_the_backlog_of_an_outage(tmp_path: Path) -> None:
    with Site(tmp_path, "sqlite", VOICEMAIL__SMTP__ATTACHMENT="none") as site:
        site.owe(BACKLOG)
        until(
            lambda: len(site.mail.arrivals) > 5 and len(site.hook.arrivals) > 5, 60, "the backlog is being worked off"
        )
        ids = {site.save(number)[0] for number in range(NEW)}
        site.wait_done(240)
        for arrivals in (site.mail.arrivals, site.hook.arrivals):
            named = [arrival.ids for arrival in arrivals]
            assert len(named) == 1 + BACKLOG + NEW
            last = max(place for place, each in enumerate(named) if each & ids)
            # They came when the backlog was longer than they are, and were done long before its end.
            assert last < BACKLOG / 2, f"the last new message was number {last} of {len(named)}"
