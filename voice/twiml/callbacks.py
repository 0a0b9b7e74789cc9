"""Callbacks: requests whose answer nobody waits for, tried a few times."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from voice.twiml import codes
from voice.twiml.cookies import Jar
from voice.twiml.errands import Ask, ErrandFailed, Exchange
from voice.twiml.requests import Requests, Wish
from voice.twiml.urls import shown, shown_parameters

log = logging.getLogger(__name__)
PAUSES = (1.0, 5.0)
# Who said no will say no again; a request too many or too slow (408, 429) and a server's faults are tried again.
AGAIN_STATUSES = (408, 429)
FINAL = frozenset((codes.INVALID_URL, codes.INTERNAL))


def send(requests: Requests, ask: Ask, jar: Jar, closing: threading.Event) -> tuple[Exchange, ...]:
    """Send it, up to three times; all that came of it. It never fails. closing: ends the pauses between tries."""
    exchanges: tuple[Exchange, ...] = ()
    for pause in (*PAUSES, None):
        try:
            return exchanges + requests.fetch(Wish(ask.url, ask.method, ask.parameters), jar).exchanges
        except ErrandFailed as error:
            exchanges += error.exchanges or (_not_sent(ask, error),)
            if pause is None or not _worth_another(error) or closing.wait(pause):
                log.warning("a callback of call=%s failed: %s", ask.call_sid, error)
                return exchanges
        except Exception:
            # Whoever counts callbacks is told of the end of each.
            log.exception("a callback of call=%s failed by a fault of ours", ask.call_sid)
            return exchanges
    raise AssertionError("not reached")


def in_background(work: Callable[[], object]) -> None:
    """Run it in a thread of its own."""
    threading.Thread(target=work, name="callback", daemon=True).start()


def _worth_another(error: ErrandFailed) -> bool:
    if error.code in FINAL:
        return False
    status = error.exchanges[-1].status if error.exchanges else 0
    return not 400 <= status < 500 or status in AGAIN_STATUSES


def _not_sent(ask: Ask, error: ErrandFailed) -> Exchange:
    """A request that never went out, for the trace."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Exchange(ask.method, shown(ask.url), shown_parameters(ask.parameters), at, 0.0, error=str(error))
